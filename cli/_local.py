"""`verdict submit --local`: a file is read, classified and written in this process, a window of rows at a time.

file ─ files.reader ─► rows ─ windows ─► inference.classifier ─► files.csv_out; the output has the columns that the
service's CSV has. Needs the extra `worker`, and neither a store nor a service.
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

from cli._progress import clock, progress
from cli._results import Output
from cli.output import CommandError, say
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
from worker.predict import isolate

WINDOW_ROWS = 256  # held in memory at a time; identical texts in it are classified once


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What judges texts, and the settings that a worker would judge them by."""

    classifier: Classifier
    settings: WorkerSettings

    def answers(self, texts: Sequence[str]) -> list[Prediction | RowError]:
        """One answer a text; one that breaks the model fails alone, as in a worker."""
        encoded = isolate(self.classifier.tokenise, texts, self.settings.max_attempts)
        answers: list[Prediction | Encoded | Exception] = list(encoded)
        places = [place for place, each in enumerate(encoded) if isinstance(each, Encoded)]
        good = [each for each in encoded if isinstance(each, Encoded)]
        for group in micro_batches(good, self.settings.micro_batch_tokens):
            predicted = isolate(self._judge, [good[index] for index in group], self.settings.max_attempts)
            for index, each in zip(group, predicted, strict=True):
                answers[places[index]] = each
        return [each if isinstance(each, Prediction) else self._broken(each) for each in answers]

    def _judge(self, batch: Sequence[Encoded]) -> list[Prediction]:
        return self.classifier.postprocess(batch, self.classifier.forward(batch))

    def _broken(self, error: object) -> RowError:
        times = self.settings.max_attempts
        return RowError("exhausted", f"the model failed {times} times on this review alone: {type(error).__name__}")


@dataclass(slots=True)
class LocalCounts:
    """What has become of the rows so far; `read` is in bytes of the file."""

    succeeded: int = 0
    failed: int = 0
    read: int = 0
    seconds: float = 0.0

    def count(self, answer: Prediction | RowError) -> None:
        """One more."""
        self.succeeded += isinstance(answer, Prediction)
        self.failed += isinstance(answer, RowError)

    def words(self) -> str:
        """Rows and rows a second."""
        rows = self.succeeded + self.failed
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{rows:,} rows{failed}, {rows / max(self.seconds, 1e-3):,.0f} rows/s"

    def words_of(self, size: int | None) -> str:
        """The same with the time left, for a file of this size."""
        left = self.seconds * (size - self.read) / self.read if size and self.read else 0
        return f"{self.words()}, {clock(left)} left" if left > 0 else self.words()


def load_model(name: str | None) -> LocalModel:
    """The model of that name in its newest version, or the one that a worker would serve.

    Raises:
        CommandError: there is none that can be loaded.
    """
    settings = WorkerSettings()
    if name and name != settings.model:
        settings = settings.model_copy(update={"model": name, "model_version": None})
    # What the worker's code logs of a text that breaks the model goes beside the results, not into them.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        threads = settings.worker_threads or len(os.sched_getaffinity(0))
        classifier = load_classifier(settings.model_directory(), threads=threads, point=settings.operating_point)
        return LocalModel(classifier, settings)
    except ModelError as exc:
        raise CommandError(str(exc)) from exc


def classify_file(model: LocalModel, file: Path | None, wanted: WantedColumns, output: Output) -> LocalCounts:
    """Classify `file` (None: stdin) and write the results, which appear under their name when they are complete.

    Raises:
        CommandError: the file is none that can be read.
    """
    tally, began = LocalCounts(), time.monotonic()
    size = file.stat().st_size if file and file.is_file() else None

    def came(count: int) -> None:
        tally.read = count

    source = body(file or sys.stdin.buffer, came).chunks()
    limits = Limits(sys.maxsize, sys.maxsize, ApiSettings().max_review_chars)
    try:
        table = read(source, wanted, limits)
        with progress("classifying") as report, _opened(output) as out:
            writer = Writer(out, table.layout.delimiter, escape=not output.keep_formulas)
            out.write(BYTE_ORDER_MARK if output.bom else "")
            own = _own_cells(writer, table)
            for note in table.layout.notes:
                say(note)
            for window in judged(model, table.rows):
                for row, answer in window:
                    version = "" if row.error else model.classifier.info.version
                    writer.record([*own(row), *our_cells(answer, version)])
                    tally.count(answer)
                tally.seconds = time.monotonic() - began
                report(tally.read, size, tally.words_of(size))
    except FileRefused as exc:
        raise CommandError(str(exc)) from exc
    return tally


def judged(model: LocalModel, rows: Iterator[Row]) -> Iterator[list[tuple[Row, Prediction | RowError]]]:
    """Each row with its answer, in order, a window at a time."""
    while window := list(islice(rows, WINDOW_ROWS)):
        texts = list(dict.fromkeys(row.text for row in window if not row.error))
        answers = dict(zip(texts, model.answers(texts), strict=True))
        yield [(row, row.error or answers[row.text]) for row in window]


def our_cells(answer: Prediction | RowError, version: str) -> list[str]:
    """Sentiment, confidence, status, error and model version, as the service writes them."""
    if isinstance(answer, RowError):
        return ["", "", "failed", f"{answer.code}: {answer.detail}", version]
    return [answer.sentiment, str(np.float32(answer.confidence)), "succeeded", "", version]  # stored in 4 bytes there


def _own_cells(writer: Writer, table: Table) -> Callable[[Row], list[str]]:
    """Write the header; returns what gives a row's own cells."""
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
