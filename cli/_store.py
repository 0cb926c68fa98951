"""The database of a command: DATABASE_URL, or else that of `verdict run`."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from db.engine import DatabaseError, Engine, connect
from settings import DatabaseSettings, RunSettings
from verdict_cli.output import CommandError


@contextmanager
def store() -> Iterator[Engine]:
    """Yield a pool of database connections. Its errors leave the block as CommandErrors."""
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
        raise CommandError(f"no database: set DATABASE_URL, or start `verdict run` ({file} does not exist)") from exc


def _checked(url: str) -> str:
    """Return the address; an error does not repeat it, since it holds a password."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "postgresql" and (parts.port or 0) >= 0
    except ValueError:  # a port or a host that is malformed
        known = False
    if not known:
        raise CommandError("DATABASE_URL must look like postgresql://user:password@host:5432/verdict")
    return url
