"""Follow a job to its end and fetch its results, for `submit` and `job --follow`.

After an interrupt or an error the job goes on, and the message names the command that follows it again.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from verdict import Client, Job, VerdictError
from verdict_cli.output import CommandError, say, show, stderr
from verdict_cli.progress import progress, rows
from verdict_cli.results import Output, follow_command, save, summary
from verdict_cli.service import Warnings

INTERRUPTED = 130  # as a shell reports Ctrl-C


def follow(client: Client, job: Job, wanted: Output | None, url: str, *, as_json: bool) -> None:
    """Wait for the end of the job, write its results and print a summary.

    Exit code 0: the job succeeded, though rows may have failed; 1: it ended otherwise; 130: interrupted.
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
        raise CommandError(f"{exc}; the job is kept, follow it with: {follow_command(job, wanted, url)}") from exc
    if wanted and wanted.is_stdout:
        stderr.print(summary(ended, wanted))
    else:
        show(ended.model_dump(mode="json"), as_json=as_json, table=lambda: summary(ended, wanted))
    if ended.status != "succeeded":
        raise typer.Exit(1)


@contextmanager
def ctrl_c_is_kept() -> Iterator[Callable[[], None]]:
    """Within the block Ctrl-C interrupts at once, and again at the next call of the yielded check.

    Python drops an interrupt inside a destructor or the callback of a weak reference, which libraries have.
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
    """Leave the job to the service and end with exit code 130."""
    say(f"interrupted; the job goes on, follow it with: {follow_command(job, wanted, url)}")
    raise typer.Exit(INTERRUPTED)
