"""What `verdict examples` works with: the model's embedder, and the labelled rows of a file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from cli._service import errors_of_files
from cli.output import CommandError
from db import examples, feedback
from db.engine import Engine, transaction
from db.evaluations import ALIASES
from db.examples import NewExample
from files.columns import choose
from files.errors import FileRefused
from files.layout import Limits, Wanted
from files.reader import read
from settings import ApiSettings, WorkerSettings
from verdict import UnknownFormat
from verdict.uploads import body, named
from worker.embedding import Embedder, load_embedder
from worker.registry import ModelError, load_manifest

PARQUET = ".parquet"
OF_CALLERS = feedback.DATASET
BATCH = 200  # examples in a transaction: well below the time limit of a statement, index included


class Labelled(NamedTuple):
    """A row of a file."""

    text: str
    label: str
    group: str | None


@dataclass(slots=True)
class Tally:
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


def wanted(file: Path, text_column: str | None, label_column: str | None, group_column: str | None) -> Wanted:
    """How the file is to be read; the group takes the place of the caller's id."""
    columns = {"text_column": text_column, "label_column": label_column, "id_column": group_column}
    if file.suffix == PARQUET:
        return Wanted("csv", **columns)
    try:
        said = named(file, None)
    except UnknownFormat as exc:
        raise CommandError(f"{file}: the name must end in .csv, .tsv, .ndjson, .jsonl or .parquet") from exc
    return Wanted(said.format, delimiter=said.delimiter, **columns)


def labelled_rows(file: Path, wanted: Wanted, labels: Sequence[str], tally: Tally) -> Iterator[Labelled]:
    """The rows of a CSV, NDJSON or Parquet file, their labels as the model calls them; those without are counted.

    Raises:
        CommandError: the file cannot be read, or holds a label that the model does not have.
    """
    words = label_words(labels)
    with errors_of_files():
        try:
            for text, label, group in _parquet(file, wanted) if file.suffix == PARQUET else _table(file, wanted):
                word = label.strip().casefold()
                if not text.strip() or not word:
                    tally.skipped += 1
                elif word in words:
                    yield Labelled(text, words[word], group)
                else:
                    raise CommandError(f"{file}: the model has no label {label.strip()!r}; it has {', '.join(labels)}")
        except FileRefused as exc:
            raise CommandError(f"{file}: {exc}") from exc


def label_words(labels: Sequence[str]) -> dict[str, str]:
    """How files write each label: its name, its number in the model, or a usual short form."""
    numbers = {str(place): label for place, label in enumerate(labels)}
    short = {word: label for label in labels for word in ALIASES.get(label, ()) if not word.isdigit()}
    return numbers | short | {label.casefold(): label for label in labels}


def _table(file: Path, wanted: Wanted) -> Iterator[tuple[str, str, str | None]]:
    largest = 1 << 62
    table = read(body(file, None).chunks(), wanted, Limits(largest, largest, ApiSettings().max_review_chars))
    if table.layout.label is None:
        raise CommandError(f"{file} has no column of labels; name it with --label-column")
    for row in table.rows:
        yield "" if row.error else row.text, row.label or "", row.caller_id if wanted.id_column else None


def _parquet(file: Path, wanted: Wanted) -> Iterator[tuple[str, str, str | None]]:
    from pyarrow import ArrowInvalid, parquet

    try:
        with parquet.ParquetFile(file) as table:
            names = table.schema_arrow.names
            chosen = choose(names, wanted)
            if chosen.label is None:
                raise CommandError(f"{file} has no column of labels; name it with --label-column")
            columns = [names[chosen.text], names[chosen.label], *([wanted.id_column] if wanted.id_column else [])]
            for part in table.iter_batches(1_000, columns=columns):
                for text, label, *group in zip(*(part[name].to_pylist() for name in columns), strict=True):
                    yield _cell(text), _cell(label), _cell(group[0]) or None if group else None
    except ArrowInvalid as exc:
        raise CommandError(f"{file}: {str(exc).splitlines()[0]}") from exc


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("\0", "")


def add(
    engine: Engine, dataset: str, embedder: Embedder | None, rows: Iterator[Labelled], tally: Tally
) -> Iterator[Tally]:
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
