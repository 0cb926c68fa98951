"""The database of a command: DATABASE_URL, or else that of `verdict run`."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from db.engine import DatabaseError, Engine, connect
from settings import DatabaseSettings, RunSettings, problem
from verdict_cli.output import CommandError


@contextmanager
def store() -> Iterator[Engine]:
    """Yield a pool of database connections. Its errors leave the block as CommandErrors."""
    with _errors():
        engine = connect(DatabaseSettings(database_url=_address()), "verdict-cli")
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except ValidationError as exc:
        raise CommandError(problem(exc)) from exc
    except DatabaseError as exc:
        raise CommandError(str(exc)) from exc


def _address() -> str:
    settings = RunSettings()
    file = settings.verdict_home / "postgres.url"
    try:
        return settings.database_url or file.read_text().strip()
    except OSError as exc:
        raise CommandError(f"no database: set DATABASE_URL, or start `verdict run` ({file} does not exist)") from exc
