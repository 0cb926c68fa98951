"""Bring the schema to the newest version: `python -m db.migrate`, one process at a time."""

import sys
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import ValidationError
from sqlalchemy import Connection, text

from db.engine import DatabaseError, connect, transaction
from settings import ROOT, DatabaseSettings, problem

LOCK = 0x76657264  # "verd": any number that nothing else in this database uses


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, which stands here and in no ini file."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def upgrade(settings: DatabaseSettings) -> str:
    """Upgrade to the newest version, which is returned; waits for another upgrade that runs.

    Raises:
        DatabaseError: the store cannot be used.
    """
    engine = connect(settings, "verdict-migrate")
    try:
        with transaction(engine) as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            command.upgrade(alembic_config(connection), "head")
    finally:
        engine.dispose()
    return newest()


@cache
def newest() -> str:
    """The version that this code needs; read once, since `/readyz` asks at every probe."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


def current(connection: Connection) -> str | None:
    """The version that the database has."""
    return MigrationContext.configure(connection).get_current_revision()


def main() -> None:
    """Exit code 0 with the version, or 1 with one line that says what is wrong."""
    try:
        version = upgrade(DatabaseSettings())
    except ValidationError as error:
        sys.exit(f"migrate: {problem(error)}")
    except DatabaseError as error:
        sys.exit(f"migrate: {error} ({error.reason})")
    sys.stdout.write(f"schema is at {version}\n")


if __name__ == "__main__":
    main()
