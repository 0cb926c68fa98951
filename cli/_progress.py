"""How far a file has come: a bar on a terminal, a line now and then elsewhere; on stderr, beside the results."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from cli.output import say, stderr
from verdict import Job

LINE_SECONDS = 10.0

# Told how much is done, of how much if that is known, and the same in words.
Report: TypeAlias = Callable[[float, float | None, str], None]


@contextmanager
def progress(what: str) -> Iterator[Report]:
    """Show how `what` comes along until the block ends."""
    if not stderr.is_terminal:
        yield _lines(what)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, console=stderr) as bar:
        task = bar.add_task(what, total=None, words="")
        yield lambda done, total, words: bar.update(task, completed=done, total=total, words=words)


@contextmanager
def transfer(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show the bytes that have been sent or received, and how fast."""
    began = time.monotonic()
    with progress(what) as report:

        def count(done: int) -> None:
            speed = done / max(time.monotonic() - began, 1e-3)
            left = f", {clock((total - done) / speed)} left" if total and 0 < done < total else ""
            report(
                done, total, f"{decimal(done)}{f' of {decimal(total)}' if total else ''}, {decimal(int(speed))}/s{left}"
            )

        yield count


def rows(job: Job) -> tuple[float, float, str]:
    """What a report takes, of a job: rows, rows a second and the time left."""
    counts = job.counts
    words = [f"{counts.done:,} of {counts.total:,} rows"]
    words += [f"{counts.failed:,} failed"] if counts.failed else []
    words += [f"{job.reviews_per_second:,.0f} rows/s"] if job.reviews_per_second else []
    words += [f"{clock(job.remaining_seconds)} left"] if job.remaining_seconds else []
    words += [job.status] if job.status in {"queued", "paused"} else []
    return counts.done, counts.total, ", ".join(words)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, or m:ss below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _lines(what: str) -> Report:
    told = time.monotonic()

    def report(_done: float, _total: float | None, words: str) -> None:
        nonlocal told
        if time.monotonic() - told >= LINE_SECONDS:
            told = time.monotonic()
            say(f"{what}: {words}")

    return report
