"""Upgrade the schema to the newest version: `python -m db.migrate`. One process at a time runs it."""

import sys
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import ValidationError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db import preflight
from db.engine import DatabaseError, DatabaseUnusable, connect, transaction
from settings import ROOT, DatabaseSettings, problem, refuse

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
    preflight.check(settings, "migrate", migrates=True)
    engine = connect(settings, "verdict-migrate")
    try:
        with transaction(engine) as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            _check_known(current(connection))
            command.upgrade(alembic_config(connection), "head")
    finally:
        engine.dispose()
    return newest()


def _check_known(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseUnusable(
            f"The schema is at {revision}, which this version ({newest()}) does not know: it is of a newer Verdict or "
            "of another application. Use the newer version, or an empty database."
        )


@cache
def newest() -> str:
    """Return the version that this code needs. Cached, since every probe of `/readyz` calls it."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


def current(connection: Connection) -> str | None:
    """Return the version of the database's schema; None if it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def main() -> None:
    """Upgrade and print the version; on an error print one line and exit with code 2."""
    try:
        version = upgrade(DatabaseSettings())
    except ValidationError as error:
        refuse("migrate", problem(error))
    except DatabaseUnusable as error:
        refuse("migrate", error)
    except DatabaseError as error:
        refuse("migrate", f"{error} ({error.reason})")
    except DBAPIError as error:
        refuse("migrate", f"A migration failed, and nothing was changed: {' '.join(str(error.orig).split())}")
    sys.stdout.write(f"schema is at {version}\n")


if __name__ == "__main__":
    main()
