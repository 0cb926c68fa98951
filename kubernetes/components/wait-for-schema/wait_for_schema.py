"""Ends when the store has the schema that this version needs; until then it says what it waits for.

Runs before API, worker and maintenance in their pods. A schema newer than this version knows is fine as well: then an
older version is being put back (docs/operations.md, "Back").
"""
# ruff: noqa: INP001  no package: mounted into pods as it is

import sys
import time

from alembic.script import ScriptDirectory
from pydantic import ValidationError

from db.engine import DatabaseError, DatabaseUnusable, Engine, connect, reading
from db.migrate import alembic_config, current, newest
from settings import DatabaseSettings, problem

POLL_SECONDS = 2.0


def missing(engine: Engine) -> str | None:
    """What is missing; None when the schema will do."""
    try:
        with reading(engine) as connection:
            found = current(connection)
    except DatabaseError as error:
        return f"{error} ({error.reason})"
    older = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()} - {newest()}
    if found is None or found in older:
        return f"the schema is at {found}, {newest()} is needed: is the migration running?"
    return None


def main() -> None:
    """Exit code 0 when the schema is there, 1 with one line when a setting is wrong."""
    try:
        engine = connect(DatabaseSettings(), "verdict-wait")
    except ValidationError as error:
        sys.exit(f"wait-for-schema: {problem(error)}")
    except DatabaseUnusable as error:  # DATABASE_URL is malformed
        sys.exit(f"wait-for-schema: {error}")
    said = None
    while why := missing(engine):
        if why != said:
            sys.stderr.write(f"wait-for-schema: {why}\n")
            sys.stderr.flush()
        said = why
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
