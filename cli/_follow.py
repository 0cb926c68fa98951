"""Following a job to its end and fetching its results, for `verdict submit` and `verdict job --follow`.

Whatever interrupts it, the job goes on, and the user is told the command that picks it up.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from cli._progress import progress, rows
from cli._results import Output, pick_up, save, summary
from cli._service import Warnings
from cli.output import CommandError, say, show, stderr
from verdict import Client, Job, VerdictError

INTERRUPTED = 130  # as a shell says it of Ctrl-C


def follow(client: Client, job: Job, wanted: Output | None, url: str, *, as_json: bool) -> None:
    """Wait for the job, write its results and sum it up.

    Exit code 0: it has succeeded, though rows may have failed; 1: it ended without; 130: interrupted.
    """
    try:
        warn = Warnings()
        with progress("classifying") as report, ctrl_c_is_kept() as check:

            def seen(now: Job) -> None:
                check()
                report(*rows(warn(now)))

            ended = client.wait(job, on_progress=seen)
        if wanted:
            save(client, ended, wanted)
    except KeyboardInterrupt:
        detach(job, wanted, url)
    except VerdictError as exc:
        raise CommandError(f"{exc}; the job is kept, go on with: {pick_up(job, wanted, url)}") from exc
    if wanted and wanted.is_stdout:
        stderr.print(summary(ended, wanted))
    else:
        show(ended.model_dump(mode="json"), as_json=as_json, table=lambda: summary(ended, wanted))
    if ended.status != "succeeded":
        raise typer.Exit(1)


@contextmanager
def ctrl_c_is_kept() -> Iterator[Callable[[], None]]:
    """Within the block Ctrl-C interrupts at once, and once more where the yielded check is called.

    Python drops an interrupt that falls into a destructor or a weak reference's callback, which libraries have.
    """
    pressed = False

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    def press(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


def detach(job: Job, wanted: Output | None, url: str) -> NoReturn:
    """Leave the job to the service."""
    say(f"detached; the job goes on, pick it up with: {pick_up(job, wanted, url)}")
    raise typer.Exit(INTERRUPTED)
