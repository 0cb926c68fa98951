"""The store that a command works on: that of DATABASE_URL, or else of `verdict run`."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from cli.output import CommandError
from db.engine import DatabaseError, Engine, connect
from settings import DatabaseSettings, RunSettings


@contextmanager
def store() -> Iterator[Engine]:
    """A pool on the store. Its errors leave the block as CommandErrors."""
    engine = connect(DatabaseSettings(database_url=_checked(_address())), "verdict-cli")
    try:
        yield engine
    except DatabaseError as exc:
        raise CommandError(str(exc)) from exc
    finally:
        engine.dispose()


def _address() -> str:
    settings = RunSettings()
    file = settings.verdict_home / "postgres.url"
    try:
        return settings.database_url or file.read_text().strip()
    except OSError as exc:
        raise CommandError(f"no store: set DATABASE_URL, or start `verdict run` ({file} is not there)") from exc


def _checked(url: str) -> str:
    """The address, which is not repeated in an error: it holds a password."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "postgresql" and (parts.port or 0) >= 0
    except ValueError:  # a port or a host that is none
        known = False
    if not known:
        raise CommandError("DATABASE_URL is no address such as postgresql://user:password@host:5432/verdict")
    return url
