"""What `verdict examples` works with: the model's embedder, and the labelled rows of a file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from cli._service import errors_of_files
from cli.output import CommandError
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

OF_CALLERS = feedback.DATASET
MOST_LABELS = 1_000  # distinct ones that are looked at; a column of more holds something else
BATCH = 200  # examples in a transaction: well below the time limit of a statement, index included


class Labelled(NamedTuple):
    """A row of a file."""

    text: str
    label: str
    group: str | None


@dataclass(slots=True)
class AddedExamples:
    """What became of the rows of a file."""

    written: int = 0
    known: int = 0
    skipped: int = 0

    def record(self, dataset: str) -> dict[str, object]:
        """For machines."""
        return {"dataset": dataset, "written": self.written, "known": self.known, "skipped": self.skipped}

    def words(self) -> str:
        """For people."""
        skipped = f", {self.skipped:,} rows without text or label left out" if self.skipped else ""
        return f"{self.written:,} examples added or changed, {self.known:,} known already{skipped}"


def model() -> tuple[list[str], Embedder | None]:
    """Labels and embedder of the model that a worker would serve."""
    directory = WorkerSettings().model_directory()
    try:
        return load_manifest(directory).labels, load_embedder(directory)
    except ModelError as exc:
        raise CommandError(str(exc)) from exc


def wanted(file: Path, text_column: str | None, label_column: str | None, group_column: str | None) -> WantedColumns:
    """Return how the file is to be read; the group takes the place of the caller's id."""
    said = named(file.name)
    if said is None:
        known = ", ".join(f".{suffix}" for suffix in SUFFIXES)
        raise CommandError(f"{file}: the name must end in one of {known}, also packed")
    columns: Columns = {"text_column": text_column, "label_column": label_column, "id_column": group_column}
    return WantedColumns(said.format, delimiter=said.delimiter, needs_label=True, **columns)


def parse_labels(written: str | None) -> Mapping[str, str] | None:
    """Return what `--labels` says."""
    try:
        return None if written is None else parse_told(written)
    except FileRefused as exc:
        raise CommandError(str(exc)) from exc


def labelled_rows(
    file: Path,
    wanted: WantedColumns,
    labels: Sequence[str],
    tally: AddedExamples,
    told: Mapping[str, str] | None = None,
) -> Iterator[Labelled]:
    """Yield the rows of a file, their labels as the model calls them; those without are counted.

    The file is read twice, since the whole set of its labels decides what each of them means.

    Raises:
        CommandError: the file cannot be read, or holds labels that mean none of the model's.
    """
    with errors_of_files():
        try:
            of = _meanings(file, wanted, labels, told)
            for row in _table(file, wanted).rows:
                text, label = "" if row.error else row.text, folded(row.label or "")
                if text and label:
                    yield Labelled(text, of[label], row.caller_id if wanted.id_column else None)
                else:
                    tally.skipped += 1
        except FileRefused as exc:
            raise CommandError(f"{file}: {exc}") from exc


def _meanings(
    file: Path, wanted: WantedColumns, labels: Sequence[str], told: Mapping[str, str] | None
) -> Mapping[str, str]:
    table = _table(file, wanted)
    column = "" if table.layout.label is None else table.layout.columns[table.layout.label]
    values: dict[str, str] = {}
    for row in table.rows:
        if not row.error and row.label and len(values) <= MOST_LABELS:
            values.setdefault(folded(row.label), row.label.strip())
    found = meanings(filter(None, values), labels, column=column, told=told)
    unknown = [shown for value, shown in values.items() if value and value not in found.of]
    if found.problem:
        raise CommandError(f"{file}: {found.problem}")
    if unknown:
        raise CommandError(
            f"{file}: the model has no label {', '.join(map(repr, unknown[:10]))}; it has {', '.join(labels)}; "
            "say what they mean with --labels"
        )
    return found.of


def _table(file: Path, wanted: WantedColumns) -> Table:
    largest = 1 << 62
    return read(body(file, None).chunks(), wanted, Limits(largest, largest, ApiSettings().max_review_chars))


def add(
    engine: Engine, dataset: str, embedder: Embedder | None, rows: Iterator[Labelled], tally: AddedExamples
) -> Iterator[AddedExamples]:
    """Embed rows and add them to a data set; yields the tally after each batch."""
    while some := list(islice(rows, BATCH)):
        texts, labels, _ = zip(*some, strict=True)
        vectors = embedder.embed_labelled(texts, labels) if embedder else [None] * len(some)
        new = [NewExample(*each, vector) for each, vector in zip(some, vectors, strict=True)]
        with transaction(engine) as connection:
            written = examples.add(connection, dataset, embedder.digest if embedder else None, new)
        tally.written += written
        tally.known += len(some) - written
        yield tally
    _analyze(engine)


def embed_again(engine: Engine, embedder: Embedder) -> Iterator[int]:
    """Embed what this embedder has not embedded, but for labels that it does not know; yields how many so far."""
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
    """What `db.examples.datasets` says."""
    with transaction(engine) as connection:
        return examples.datasets(connection, embedder.digest if embedder else None)


def remove(engine: Engine, dataset: str) -> int:
    """Remove a data set; how many examples it had."""
    with transaction(engine) as connection:
        removed = examples.remove(connection, dataset)
        examples.analyze(connection)
    return removed
