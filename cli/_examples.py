"""The work of `verdict examples`: read labelled rows from a file, embed them, and store them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from db import examples, feedback
from db.engine import Engine, transaction
from db.examples import NewExample
from files.errors import FileRefused
from files.labels import folded, meanings, parse_told
from files.layout import Columns, Limits, Table, WantedColumns
from files.names import SUFFIXES, named
from files.reader import read
from inference.embedder import Embedder, load_embedder
from inference.manifest import ModelError, load_manifest
from settings import ApiSettings, WorkerSettings
from verdict.uploads import body
from verdict_cli.output import CommandError
from verdict_cli.service import errors_of_files

OF_CALLERS = feedback.DATASET
MOST_LABELS = 1_000  # distinct ones that are read; a column with more holds something else
BATCH = 200  # examples in a transaction: far below the time limit of a statement, index included


class Labelled(NamedTuple):
    """A labelled row of a file."""

    text: str
    label: str
    group: str | None


@dataclass(slots=True)
class AddedExamples:
    """Counts of the rows of a file: written, already known, and skipped."""

    written: int = 0
    known: int = 0
    skipped: int = 0

    def record(self, dataset: str) -> dict[str, object]:
        """Return the counts for `--json`."""
        return {"dataset": dataset, "written": self.written, "known": self.known, "skipped": self.skipped}

    def words(self) -> str:
        """Return the counts as a sentence."""
        skipped = f", {self.skipped:,} rows without text or label skipped" if self.skipped else ""
        return f"{self.written:,} examples added or changed, {self.known:,} already known{skipped}"


def model() -> tuple[list[str], Embedder | None]:
    """Return labels and embedder of the model that a worker would serve."""
    directory = WorkerSettings().model_directory()
    try:
        return load_manifest(directory).labels, load_embedder(directory)
    except ModelError as exc:
        raise CommandError(str(exc)) from exc


def wanted(file: Path, text_column: str | None, label_column: str | None, group_column: str | None) -> WantedColumns:
    """Return the columns to read; the group takes the place of the caller's id."""
    properties = named(file.name)
    if properties is None:
        known = ", ".join(f".{suffix}" for suffix in SUFFIXES)
        raise CommandError(
            f"{file}: the name must end in one of {known}, or one of them with a compression such as .gz"
        )
    columns: Columns = {"text_column": text_column, "label_column": label_column, "id_column": group_column}
    return WantedColumns(properties.format, delimiter=properties.delimiter, needs_label=True, **columns)


def parse_labels(written: str | None) -> Mapping[str, str] | None:
    """Parse `--labels`."""
    try:
        return None if written is None else parse_told(written)
    except FileRefused as exc:
        raise CommandError(str(exc)) from exc


def labelled_rows(
    file: Path,
    wanted: WantedColumns,
    labels: Sequence[str],
    counts: AddedExamples,
    mapping: Mapping[str, str] | None = None,
) -> Iterator[Labelled]:
    """Yield the rows of a file with the label names of the model; count rows without text or label.

    The file is read twice, since the set of all labels decides the meaning of each.

    Raises:
        CommandError: the file cannot be read, or holds labels that the model does not have.
    """
    with errors_of_files():
        try:
            of = _meanings(file, wanted, labels, mapping)
            for row in _table(file, wanted).rows:
                text, label = "" if row.error else row.text, folded(row.label or "")
                if text and label:
                    yield Labelled(text, of[label], row.caller_id if wanted.id_column else None)
                else:
                    counts.skipped += 1
        except FileRefused as exc:
            raise CommandError(f"{file}: {exc}") from exc


def _meanings(
    file: Path, wanted: WantedColumns, labels: Sequence[str], mapping: Mapping[str, str] | None
) -> Mapping[str, str]:
    table = _table(file, wanted)
    column = "" if table.layout.label is None else table.layout.columns[table.layout.label]
    values: dict[str, str] = {}
    for row in table.rows:
        if not row.error and row.label and len(values) <= MOST_LABELS:
            values.setdefault(folded(row.label), row.label.strip())
    found = meanings(filter(None, values), labels, column=column, told=mapping)
    unknown = [shown for value, shown in values.items() if value and value not in found.of]
    if found.problem:
        raise CommandError(f"{file}: {found.problem}")
    if unknown:
        raise CommandError(
            f"{file}: the model has no label {', '.join(map(repr, unknown[:10]))}; it has {', '.join(labels)}; "
            "map them with --labels"
        )
    return found.of


def _table(file: Path, wanted: WantedColumns) -> Table:
    largest = 1 << 62
    return read(body(file, None).chunks(), wanted, Limits(largest, largest, ApiSettings().max_review_chars))


def add(
    engine: Engine, dataset: str, embedder: Embedder | None, rows: Iterator[Labelled], counts: AddedExamples
) -> Iterator[AddedExamples]:
    """Embed rows and add them to a data set; yield the counts after each batch."""
    while some := list(islice(rows, BATCH)):
        texts, labels, _ = zip(*some, strict=True)
        vectors = embedder.embed_labelled(texts, labels) if embedder else [None] * len(some)
        new = [NewExample(*each, vector) for each, vector in zip(some, vectors, strict=True)]
        with transaction(engine) as connection:
            written = examples.add(connection, dataset, embedder.digest if embedder else None, new)
        counts.written += written
        counts.known += len(some) - written
        yield counts
    _analyze(engine)


def embed_again(engine: Engine, embedder: Embedder) -> Iterator[int]:
    """Embed all examples that this embedder has not embedded and whose label it knows; yield their number so far."""
    done = after = 0
    while rows := _stale(engine, embedder, after):
        after = rows[-1].id
        known = [row for row in rows if row.label in embedder.labels]
        texts, labels = [row.text for row in known], [row.label for row in known]
        vectors = embedder.embed_labelled(texts, labels) if known else []
        with transaction(engine) as connection:
            done += examples.embed(connection, embedder.digest, [row.id for row in known], vectors)
        yield done
    _analyze(engine)


def _analyze(engine: Engine) -> None:
    with transaction(engine) as connection:
        examples.analyze(connection)


def _stale(engine: Engine, embedder: Embedder, after: int) -> Sequence[Any]:
    with transaction(engine) as connection:
        return examples.stale(connection, embedder.digest, after, BATCH)


def datasets(engine: Engine, embedder: Embedder | None) -> Sequence[Any]:
    """Return the data sets with their counts (db.examples.datasets)."""
    with transaction(engine) as connection:
        return examples.datasets(connection, embedder.digest if embedder else None)


def remove(engine: Engine, dataset: str) -> int:
    """Remove a data set and return the number of its examples."""
    with transaction(engine) as connection:
        removed = examples.remove(connection, dataset)
        examples.analyze(connection)
    return removed
