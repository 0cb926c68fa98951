"""Labelled reviews from a file or a hub data set, read like a file that is uploaded to the service.

Parquet files and hub data sets are read as Arrow tables, all other files by `files.reader`.
"""

import logging
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

from files.errors import FileRefused, WrongLabels, shown
from files.labels import NEGATIVE, NEUTRAL, POSITIVE, folded, meanings
from files.layout import Columns, Limits, WantedColumns
from files.names import SUFFIXES, named
from files.reader import read
from files.row import RowError
from training.data.arrow import Values, arrow_cells, filtered, hub_table, parquet_table
from training.data.cells import Cell, Cells
from training.errors import TrainingError

NO_LIMIT = Limits(bytes=sys.maxsize, rows=sys.maxsize, review_chars=sys.maxsize)
CHUNK_BYTES = 1 << 20
MOST_SHOWN = 10
USUAL = {NEGATIVE, NEUTRAL, POSITIVE}
UNLABELLED = -1  # the value in data sets of the hub, whose classes are numbered from 0

log = logging.getLogger(__name__)


@lru_cache(maxsize=100)
def warn_once(message: str) -> None:
    """Log a warning once; later steps of a recipe read the same file and would repeat it."""
    log.warning(message)


@dataclass(frozen=True, slots=True)
class Reviews:
    """Labelled reviews: `labels` index into `names`; `groups` is empty when no group column is configured.

    `dropped` rows of the file could not be used; `reasons` counts them by error code.
    """

    texts: list[str]
    labels: list[int]
    names: list[str]
    groups: list[str]
    dropped: int
    reasons: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Sequence[int]) -> "Reviews":
        """Return the reviews at `indices`, in that order."""
        return replace(
            self,
            texts=[self.texts[i] for i in indices],
            labels=[self.labels[i] for i in indices],
            groups=[self.groups[i] for i in indices] if self.groups else [],
        )


@dataclass(frozen=True, slots=True)
class DataSource:
    """The location of labelled reviews: a file or a hub name; columns not given are found by their usual names.

    `names` fixes the label names and their order, as in a model or a configuration. `label_map` maps values of the
    label column to labels where the values are ambiguous. `only` and `without` choose rows of an Arrow table by column
    value.
    """

    location: str
    split: str = "train"
    text_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    names: Sequence[str] | None = None
    label_map: Mapping[str, str] | None = None
    only: Values = field(default_factory=dict)
    without: Values = field(default_factory=dict)


def short_name(location: str) -> str:
    """Return the last two parts of a path or hub name, which identify a data set on any machine."""
    return "/".join(Path(location).parts[-2:])


def load_reviews(source: DataSource) -> Reviews:
    """Read labelled reviews; unusable rows are dropped, counted, and logged with the reason.

    Raises:
        TrainingError: the file cannot be read, or its labels are ambiguous.
    """
    columns: Columns = {
        "text_column": source.text_column,
        "label_column": source.label_column,
        "id_column": source.group_column,
    }
    wanted = WantedColumns("csv", **columns, needs_label=True)
    cells = _cells(source.location, source.split, wanted, source.only, source.without)
    names = list(source.names) if source.names is not None else cells.classes
    kept, dropped, first = [], Counter[str](), dict[str, RowError]()
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for cell in cells.rows:
        fault = _fault(cell, cells)
        if fault is None:
            label = _class_name(cell.label, cells)
            spellings[folded(label)][label.strip()] += 1
            kept.append((cell.text, folded(label), cell.group))
        else:
            dropped[fault.code] += 1
            first.setdefault(fault.code, RowError(f"line {cell.line:,}", fault.detail))
    for code, count in dropped.items():
        warn_once(f"{source.location}: {count:,} rows dropped, {code}; the first on {': '.join(first[code])}")
    if not kept:
        found = ", ".join(f"{count:,} {code}" for code, count in dropped.items())
        raise TrainingError(f"{source.location} holds no row with both a text and a label ({found}).")
    of = _meanings(source, cells, Counter(label for _, label, _ in kept), names)
    if names is None:
        of = {value: _spelled(value, label, spellings[value]) for value, label in of.items()}
        names = sorted(set(of.values()))
    places = {name: place for place, name in enumerate(names)}
    return Reviews(
        texts=[text for text, _, _ in kept],
        labels=[places[of[label]] for _, label, _ in kept],
        names=names,
        groups=[group for _, _, group in kept] if source.group_column else [],
        dropped=dropped.total(),
        reasons=dict(dropped),
    )


def _spelled(value: str, label: str, spellings: Counter[str]) -> str:
    """Return a label in the spelling of the data, or in lower case if the data has several spellings of it."""
    return next(iter(spellings)) if value == label and label not in USUAL and len(spellings) == 1 else label


def _fault(cell: Cell, cells: Cells) -> RowError | None:
    """Return the reason to drop a row, or None."""
    if cell.fault or not cell.text.strip():
        return cell.fault or RowError("empty_text", "The text is empty or blank.")
    if not cell.label.strip():
        return RowError("no_label", "The label is empty.")
    if cells.classes is not None and cell.label == str(UNLABELLED):
        return RowError("no_label", "The label is -1, which means unlabelled among numbered classes.")
    return None


def _class_name(label: str, cells: Cells) -> str:
    """Return the name that the schema of the file gives to a number, or the label unchanged."""
    classes = cells.classes or []
    return classes[int(label)] if label.isdecimal() and int(label) < len(classes) else label


def _meanings(source: DataSource, cells: Cells, values: Counter[str], names: Sequence[str] | None) -> Mapping[str, str]:
    """Return the label of each value; raise `TrainingError` if one has none."""
    told = None if source.label_map is None else {folded(key): label for key, label in source.label_map.items()}
    try:
        found = meanings(values, names, column=cells.label_column, told=told, option="label_map")
    except WrongLabels as exc:
        raise TrainingError(f"label_map: {exc}") from exc
    if found.problem:
        raise TrainingError(f"{source.location}: {found.problem}")
    unknown = [f"{shown(value)} ({count:,} rows)" for value, count in values.most_common() if value not in found.of]
    if unknown:
        rest = f" and {len(unknown) - MOST_SHOWN:,} more" if len(unknown) > MOST_SHOWN else ""
        known = ", ".join(names) if names is not None else ", ".join(sorted(set(found.of.values())))
        raise TrainingError(
            f"{source.location}: the labels {', '.join(unknown[:MOST_SHOWN])}{rest} are none of {known}; "
            "map them with label_map."
        )
    if names is None and len(set(found.of.values())) < 2:
        raise TrainingError(f"The data have only one label ({min(found.of.values())}); at least two are needed.")
    return found.of


def load_texts(
    location: str, text_column: str | None = None, *, only: Values | None = None, without: Values | None = None
) -> list[str]:
    """Return the texts of all rows of a file in order, labelled or not; a null is an empty text."""
    wanted = WantedColumns("csv", text_column, null_words="keep")
    return [row.text for row in _cells(location, "train", wanted, only, without).rows]


def load_grouped(location: str, text_column: str | None, group_column: str | None) -> tuple[list[str], list[str]]:
    """Return every text of a file and its group, which is empty when no group column is given."""
    wanted = WantedColumns("csv", text_column, id_column=group_column, null_words="keep")
    rows = _cells(location, "train", wanted).rows
    return [row.text for row in rows], [row.group for row in rows]


def sample(reviews: Reviews, limit: int | None, seed: int) -> Reviews:
    """Return at most `limit` reviews drawn at random with the seed; files are often sorted by label."""
    if limit is None or limit >= len(reviews):
        return reviews
    return reviews.take(drawn(len(reviews), limit, seed))


def drawn(count: int, limit: int | None, seed: int) -> Sequence[int]:
    """Return the places of at most `limit` of `count` rows, drawn at random with the seed, in order."""
    if limit is None or limit >= count:
        return range(count)
    return sorted(random.Random(seed).sample(range(count), limit))  # noqa: S311 - a repeatable draw, not a secret


def _cells(
    location: str, split: str, wanted: WantedColumns, only: Values | None = None, without: Values | None = None
) -> Cells:
    path = Path(location)
    if not path.suffix and (path.is_dir() or not path.exists()):
        return arrow_cells(filtered(hub_table(location, split), only or {}, without or {}), wanted)
    if path.suffix == ".parquet":
        return arrow_cells(filtered(parquet_table(path), only or {}, without or {}), wanted)
    if only or without:
        raise TrainingError(f"{location}: `only` and `without` need a Parquet file or a hub data set.")
    said = named(path.name)
    if said is None:
        known = ", ".join(f".{suffix}" for suffix in SUFFIXES)
        raise TrainingError(f"{location} must end in {known} or be the name of a data set on the hub.")
    return _file_cells(path, replace(wanted, format=said.format, delimiter=said.delimiter))


def _file_cells(path: Path, wanted: WantedColumns) -> Cells:
    try:
        with path.open("rb") as file:
            table = read(iter(partial(file.read, CHUNK_BYTES), b""), wanted, NO_LIMIT)
            for note in table.layout.notes:
                warn_once(f"{path}: {note}")
            rows = [
                Cell(row.line, row.text, row.label or "", (wanted.id_column and row.caller_id) or "", row.error)
                for row in table.rows
            ]
    except FileNotFoundError as exc:
        raise TrainingError(f"There is no file {path}.") from exc
    except OSError as exc:
        raise TrainingError(f"Cannot read {path}: {exc.strerror}.") from exc
    except FileRefused as exc:
        raise TrainingError(f"Cannot read {path}: {exc}") from exc
    layout = table.layout
    return Cells(rows, "" if layout.label is None else layout.columns[layout.label])
