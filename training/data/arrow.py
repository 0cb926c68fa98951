"""Read Parquet files with pyarrow, and data sets of a hub with `datasets`, as cells."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from files.columns import choose
from files.errors import FileRefused
from files.labels import SYNONYMS
from files.layout import WantedColumns
from training.data.cells import Cell, Cells
from training.errors import TrainingError

Values: TypeAlias = Mapping[str, Sequence[str]]  # by column
SAMPLE_ROWS = 200  # the text column is chosen by these rows, as in an uploaded file


def parquet_table(path: Path) -> pa.Table:
    """Read a Parquet file."""
    try:
        return pyarrow.parquet.read_table(path)
    except FileNotFoundError as exc:
        raise TrainingError(f"There is no file {path}.") from exc
    except (pa.ArrowInvalid, OSError) as exc:
        raise TrainingError(f"Cannot read {path}: {str(exc).splitlines()[0]}") from exc


def hub_table(name: str, split: str) -> pa.Table:
    """Load one split of a data set on the hub."""
    try:
        import datasets  # noqa: PLC0415 - local files do not need it
    except ImportError as exc:
        raise TrainingError(
            f"There is no file {name}; hub data sets need the extra `train`, which `make test` installs."
        ) from exc
    try:
        return datasets.load_dataset(name, split=split).with_format("arrow")[:]
    except Exception as exc:  # the errors of the hub have no common base class
        reason = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise TrainingError(f"Neither a file nor a readable data set on the hub: {name} ({reason})") from exc


def filtered(table: pa.Table, only: Values, without: Values) -> pa.Table:
    """Return the rows that have one of the values in `only`, column by column, and none of those in `without`."""
    for chosen, kept in ((only, True), (without, False)):
        for name, values in chosen.items():
            if name not in table.column_names:
                raise TrainingError(f"The data have no column {name} (columns: {', '.join(table.column_names)}).")
            found = pc.is_in(table[name].cast(pa.string()), pa.array(list(values)))
            table = table.filter(pc.equal(pc.fill_null(found, fill_value=False), kept))
    return table


def arrow_cells(table: pa.Table, wanted: WantedColumns) -> Cells:
    """Return the cells of a table; its columns are chosen as in any other file."""
    names = table.column_names
    head = table.slice(0, SAMPLE_ROWS)
    sample = list(zip(*(map(_cell, head[name].to_pylist()) for name in names), strict=True))
    try:
        chosen = choose(names, wanted, sample)
    except FileRefused as exc:
        raise TrainingError(str(exc)) from exc
    label = None if chosen.label is None else names[chosen.label]
    group = names[chosen.id] if chosen.id is not None and wanted.id_column else None
    texts, labels, groups = (
        map(_cell, table[name].to_pylist()) if name else [""] * table.num_rows
        for name in (names[chosen.text], label, group)
    )
    rows = [Cell(row, *cells) for row, cells in enumerate(zip(texts, labels, groups, strict=True), 1)]
    return Cells(rows, label or "", _stored_names(table, label) if label else None)


def _cell(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _stored_names(table: pa.Table, column: str) -> list[str] | None:
    """Return the class names that `datasets` keeps in the schema of its tables and Parquet files."""
    stored = (table.schema.metadata or {}).get(b"huggingface")
    feature = json.loads(stored).get("info", {}).get("features", {}).get(column, {}) if stored else {}
    names: Sequence[str] = feature["names"] if feature.get("_type") == "ClassLabel" else []
    return [SYNONYMS.get(name.strip().lower(), name.strip()) for name in map(str, names)] or None
