"""`verdict submit --local`: read, classify and write a file in this process, a window of rows at a time.

file ─ files.reader ─► rows ─ windows ─► inference.classifier ─► files.csv_out. The output has the columns of the
service's CSV. Needs the extra `worker`, but no database and no service.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import structlog

from files.csv_out import BYTE_ORDER_MARK, JSON_COLUMNS, Writer, our_names, own_cells
from files.errors import FileRefused
from files.layout import Limits, Table, WantedColumns
from files.reader import read
from files.row import Row, RowError
from inference.batching import micro_batches
from inference.classifier import Classifier, Encoded, Prediction
from inference.loading import load_classifier
from inference.manifest import ModelError
from settings import ApiSettings, WorkerSettings
from verdict.uploads import body
from verdict_cli.output import CommandError, say
from verdict_cli.progress import clock, progress
from verdict_cli.results import Output
from worker.predict import isolate

WINDOW_ROWS = 256  # rows in memory at a time; equal texts among them are classified once


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A loaded classifier with the settings of a worker."""

    classifier: Classifier
    settings: WorkerSettings

    def answers(self, texts: Sequence[str]) -> list[Prediction | RowError]:
        """Return one answer for each text; a text that breaks the model fails alone, as in a worker."""
        encoded = isolate(self.classifier.tokenise, texts, self.settings.max_attempts)
        answers: list[Prediction | Encoded | Exception] = list(encoded)
        places = [place for place, each in enumerate(encoded) if isinstance(each, Encoded)]
        good = [each for each in encoded if isinstance(each, Encoded)]
        for group in micro_batches(good, self.settings.micro_batch_tokens):
            predicted = isolate(self._predict, [good[index] for index in group], self.settings.max_attempts)
            for index, each in zip(group, predicted, strict=True):
                answers[places[index]] = each
        return [each if isinstance(each, Prediction) else self._broken(each) for each in answers]

    def _predict(self, batch: Sequence[Encoded]) -> list[Prediction]:
        return self.classifier.postprocess(batch, self.classifier.forward(batch))

    def _broken(self, error: object) -> RowError:
        times = self.settings.max_attempts
        return RowError("exhausted", f"the model failed {times} times on this review alone: {type(error).__name__}")


@dataclass(slots=True)
class LocalCounts:
    """Counts of the rows so far; `read` is in bytes of the file."""

    succeeded: int = 0
    failed: int = 0
    read: int = 0
    seconds: float = 0.0

    def count(self, answer: Prediction | RowError) -> None:
        """Count one row."""
        self.succeeded += isinstance(answer, Prediction)
        self.failed += isinstance(answer, RowError)

    def words(self) -> str:
        """Return rows and rows per second as a sentence."""
        rows = self.succeeded + self.failed
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{rows:,} rows{failed}, {rows / max(self.seconds, 1e-3):,.0f} rows/s"

    def words_of(self, size: int | None) -> str:
        """Return the same with the time left, for a file of `size` bytes."""
        left = self.seconds * (size - self.read) / self.read if size and self.read else 0
        return f"{self.words()}, {clock(left)} left" if left > 0 else self.words()


def load_model(name: str | None) -> LocalModel:
    """Load the newest version of the named model, or the model that a worker would serve.

    Raises:
        CommandError: the model cannot be loaded.
    """
    settings = WorkerSettings()
    if name and name != settings.model:
        settings = settings.model_copy(update={"model": name, "model_version": None})
    # The worker's code logs a text that breaks the model; the log goes to stderr, the results may go to stdout.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        threads = settings.worker_threads or len(os.sched_getaffinity(0))
        classifier = load_classifier(settings.model_directory(), threads=threads, point=settings.operating_point)
        return LocalModel(classifier, settings)
    except ModelError as exc:
        raise CommandError(str(exc)) from exc


def classify_file(model: LocalModel, file: Path | None, wanted: WantedColumns, output: Output) -> LocalCounts:
    """Classify `file` (None: stdin) and write the results; the output file appears when it is complete.

    Raises:
        CommandError: the file cannot be read.
    """
    counts, began = LocalCounts(), time.monotonic()
    size = file.stat().st_size if file and file.is_file() else None

    def count_bytes(count: int) -> None:
        counts.read = count

    source = body(file or sys.stdin.buffer, count_bytes).chunks()
    limits = Limits(sys.maxsize, sys.maxsize, ApiSettings().max_review_chars)
    try:
        table = read(source, wanted, limits)
        with progress("classifying") as report, _opened(output) as out:
            writer = Writer(out, table.layout.delimiter, escape=not output.keep_formulas)
            out.write(BYTE_ORDER_MARK if output.bom else "")
            own = _own_cells(writer, table)
            for note in table.layout.notes:
                say(note)
            for window in classified(model, table.rows):
                for row, answer in window:
                    version = "" if row.error else model.classifier.info.version
                    writer.record([*own(row), *our_cells(answer, version)])
                    counts.count(answer)
                counts.seconds = time.monotonic() - began
                report(counts.read, size, counts.words_of(size))
    except FileRefused as exc:
        raise CommandError(str(exc)) from exc
    return counts


def classified(model: LocalModel, rows: Iterator[Row]) -> Iterator[list[tuple[Row, Prediction | RowError]]]:
    """Yield each row with its answer, in order, a window at a time."""
    while window := list(islice(rows, WINDOW_ROWS)):
        texts = list(dict.fromkeys(row.text for row in window if not row.error))
        answers = dict(zip(texts, model.answers(texts), strict=True))
        yield [(row, row.error or answers[row.text]) for row in window]


def our_cells(answer: Prediction | RowError, version: str) -> list[str]:
    """Return sentiment, confidence, status, error and model version as the service writes them."""
    if isinstance(answer, RowError):
        return ["", "", "failed", f"{answer.code}: {answer.detail}", version]
    return [answer.sentiment, str(np.float32(answer.confidence)), "succeeded", "", version]  # stored as 4 bytes


def _own_cells(writer: Writer, table: Table) -> Callable[[Row], list[str]]:
    """Write the header; return the function that gives the caller's own cells of a row."""
    layout, is_table = table.layout, table.is_table
    columns = layout.columns if is_table else JSON_COLUMNS
    writer.record([*columns, *our_names(columns)])
    if is_table:
        return lambda row: own_cells(layout, row.text, row.others)
    return lambda row: [str(row.index), row.caller_id or "", row.text]


@contextmanager
def _opened(output: Output) -> Iterator[TextIO]:
    if output.is_stdout:
        with open(1, "w", encoding="utf-8", newline="", closefd=False) as out:
            yield out
        return
    part = output.path.with_name(f"{output.path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            yield out
    except FileRefused:
        part.unlink()
        raise
    part.replace(output.path)
