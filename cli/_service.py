"""The service that a command talks to: whatever goes wrong with it, or with a file, is one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from cli.output import CommandError
from verdict import Client, NotConnected, VerdictError


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
