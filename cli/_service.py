"""The service that a command talks to: whatever goes wrong with it, or with a file, is one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TypeAlias

import typer

from cli.output import CommandError, say
from verdict import Client, Job, NotConnected, VerdictError

ModelOption: TypeAlias = Annotated[
    str | None, typer.Option("--model", help="Model to use; the one that the service serves if not given.")
]


@contextmanager
def service(url: str) -> Iterator[Client]:
    """A client of the service at `url`. Its errors and those of files leave the block as CommandErrors."""
    try:
        with errors_of_files(), Client(url) as client:
            yield client
    except NotConnected as exc:
        raise CommandError(f"{exc}; start it with `verdict run`, or give --url") from exc
    except VerdictError as exc:
        raise CommandError(str(exc)) from exc


@contextmanager
def errors_of_files() -> Iterator[None]:
    """What goes wrong with a file in the block leaves it as a CommandError."""
    try:
        yield
    except OSError as exc:
        raise CommandError(": ".join(str(part) for part in (exc.filename, exc.strerror or exc) if part)) from exc


class Warnings:
    """Says what the service warns of about a job, when that begins; to be called with the job as it comes."""

    def __init__(self) -> None:
        self._said: str | None = None

    def __call__(self, job: Job) -> Job:
        """The job as it is."""
        if job.warning and job.warning != self._said:
            say(job.warning)
        self._said = job.warning
        return job
