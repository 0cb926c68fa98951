"""Upgrade the schema to the newest version: `python -m db.migrate`. One process at a time runs it."""

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

LOCK = 0x76657264  # "verd": the number of an advisory lock that nothing else in this database uses


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def upgrade(settings: DatabaseSettings) -> str:
    """Upgrade to the newest version and return it; wait for a concurrent upgrade to end.

    Raises:
        DatabaseError: the database cannot be used.
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
    """Return the version that this code needs. Cached, since every probe of `/readyz` calls it."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


def current(connection: Connection) -> str | None:
    """Return the version of the database's schema; None if it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def main() -> None:
    """Upgrade and print the version; on an error print one line and exit with code 1."""
    try:
        version = upgrade(DatabaseSettings())
    except ValidationError as error:
        sys.exit(f"migrate: {problem(error)}")
    except DatabaseError as error:
        sys.exit(f"migrate: {error} ({error.reason})")
    sys.stdout.write(f"schema is at {version}\n")


if __name__ == "__main__":
    main()
