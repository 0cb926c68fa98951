"""The client of a command; every failure of the service or of a file becomes one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TypeAlias

import typer

from verdict import Client, Job, NotConnected, NotSecure, VerdictError
from verdict_cli.output import CommandError, say

ModelOption: TypeAlias = Annotated[
    str | None, typer.Option("--model", help="Model to use; by default the one that the service chooses.")
]


@contextmanager
def service(url: str) -> Iterator[Client]:
    """Yield a client of the service at `url`. Its errors and those of files leave the block as CommandErrors."""
    try:
        with errors_of_files(), Client(url) as client:
            yield client
    except NotConnected as exc:
        hint = "" if isinstance(exc, NotSecure) else "; start the service with `verdict run`, or give --url"
        raise CommandError(f"{exc}{hint}") from exc
    except VerdictError as exc:
        raise CommandError(str(exc)) from exc


@contextmanager
def errors_of_files() -> Iterator[None]:
    """Turn errors of files in the block into CommandErrors, but for a closed stdout (verdict_cli.main)."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise CommandError(": ".join(str(part) for part in (exc.filename, exc.strerror or exc) if part)) from exc


class Warnings:
    """Print the warning of a job when it first occurs; call it with each state of the job."""

    def __init__(self) -> None:
        self._printed: str | None = None

    def __call__(self, job: Job) -> Job:
        """Return the job unchanged."""
        if job.warning and job.warning != self._printed:
            say(job.warning)
        self._printed = job.warning
        return job
