"""Progress on stderr: a bar on a terminal, elsewhere a line every 10 s."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from verdict import Job
from verdict_cli.output import say, stderr

LINE_SECONDS = 10.0

# Takes the amount done, the total if known, and both in words.
Report: TypeAlias = Callable[[float, float | None, str], None]


@contextmanager
def progress(task: str) -> Iterator[Report]:
    """Show the progress of `task` until the block ends."""
    if not stderr.is_terminal:
        yield _lines(task)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, console=stderr) as bar:
        shown = bar.add_task(task, total=None, words="")
        yield lambda done, total, words: bar.update(shown, completed=done, total=total, words=words)


@contextmanager
def transfer(task: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show the bytes sent or received, and the speed."""
    began = time.monotonic()
    with progress(task) as report:

        def count(done: int) -> None:
            speed = done / max(time.monotonic() - began, 1e-3)
            left = f", {clock((total - done) / speed)} left" if total and 0 < done < total else ""
            report(
                done, total, f"{decimal(done)}{f' of {decimal(total)}' if total else ''}, {decimal(int(speed))}/s{left}"
            )

        yield count


def rows(job: Job) -> tuple[float, float, str]:
    """Return the arguments of a report on a job: rows done, rows in all, and words with speed and time left."""
    counts = job.counts
    words = [f"{counts.done:,} of {counts.total:,} rows"]
    words += [f"{counts.failed:,} failed"] if counts.failed else []
    words += [f"{job.reviews_per_second:,.0f} rows/s"] if job.reviews_per_second else []
    words += [f"{clock(job.remaining_seconds)} left"] if job.remaining_seconds else []
    words += [job.status] if job.status in {"queued", "paused"} else []
    return counts.done, counts.total, ", ".join(words)


def clock(seconds: float) -> str:
    """Format seconds as h:mm:ss, or m:ss below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _lines(task: str) -> Report:
    printed = time.monotonic()

    def report(_done: float, _total: float | None, words: str) -> None:
        nonlocal printed
        if time.monotonic() - printed >= LINE_SECONDS:
            printed = time.monotonic()
            say(f"{task}: {words}")

    return report
