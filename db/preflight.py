"""Check the database at the start of a process: refuse one that cannot be used, with the problem and the remedy.

Session settings (statement_timeout, plan_cache_mode) and prepared statements need a server session for each connection,
which a pooler in transaction mode does not give.
"""

import re
from typing import Any
from uuid import uuid4

import structlog
from psycopg import errors

from db import driver, requirements
from db.engine import connection_parameters
from db.errors import DatabaseError, DatabaseUnreachable, DatabaseUnusable, translated
from db.requirements import Session, row
from settings import DatabaseSettings, refuse

POOLER_TRIES = 3
DIRECTLY = "Connect to PostgreSQL directly: each process has a small pool of its own (DATABASE_POOL_SIZE)."
SEEN = "SELECT coalesce(current_setting('verdict.session', true), '')"

log = structlog.get_logger()


def check_at_start(settings: DatabaseSettings, process: str) -> None:
    """End the process with exit code 2 and one line if the database is unusable.

    A database that cannot be reached yet is only logged: processes and servers may start in any order.
    """
    try:
        check(settings, process)
    except DatabaseUnusable as error:
        refuse(process, error)
    except DatabaseError as error:
        log.warning("database_not_checked", error=str(error), reason=error.reason)


def check(settings: DatabaseSettings, process: str, *, migrates: bool = False) -> None:
    """Check everything that a process needs; with `migrates` also the privileges for migrations.

    Raises:
        DatabaseUnusable: something must be changed first.
        DatabaseError: the database cannot be reached, or answers too late.
    """
    parameters = connection_parameters(settings, f"verdict-{process}")
    with _session(parameters) as session, translated():
        requirements.check_version(session)
        _check_pooler(session, parameters)
        requirements.check_server(session)
        requirements.check_schema(session)
        if migrates:
            requirements.check_create(session)
            requirements.check_vector(session)
        else:
            requirements.check_tables(session)


def _session(parameters: dict[str, Any]) -> Session:
    try:
        with translated():
            return driver.Connection.connect(**parameters, autocommit=True)
    except DatabaseUnreachable as error:
        # PgBouncer's message for a session setting, unless ignore_startup_parameters names it.
        if "unsupported startup parameter" in error.reason:
            raise DatabaseUnusable(
                f"DATABASE_URL leads to a connection pooler that refuses session settings. {DIRECTLY}"
            ) from error
        raise


def _check_pooler(session: Session, parameters: dict[str, Any]) -> None:
    # A pooler invents the process id that it tells its clients; PostgreSQL tells its own.
    if session.info.backend_pid != _backend(session) and _shares_sessions(session, parameters):
        raise DatabaseUnusable(
            "DATABASE_URL leads to a connection pooler in transaction mode, which mixes the session settings of its "
            f"clients. {DIRECTLY}"
        )
    wanted = re.findall(r"-c (statement_timeout)=(\d+)", parameters["options"])[-1]
    [found] = row(session, "SELECT setting FROM pg_settings WHERE name = %s", wanted[0])
    if found != wanted[1]:
        raise DatabaseUnusable(
            f"The session settings were lost on the way (statement_timeout is {found} ms and not {wanted[1]} ms), as "
            f"behind a connection pooler with ignore_startup_parameters. {DIRECTLY}"
        )


def _shares_sessions(session: Session, parameters: dict[str, Any]) -> bool:
    """Return whether a session setting is lost or seen by others while another client holds a transaction open."""
    for _ in range(POOLER_TRIES):
        mark = uuid4().hex
        session.execute("SELECT set_config('verdict.session', %s, false)", (mark,))
        try:
            with driver.Connection.connect(**parameters) as other, other.transaction():
                if row(other, SEEN) == (mark,) or row(session, SEEN) != (mark,):
                    return True
        except errors.ProtocolViolation:  # no transactions at all: the statement mode of PgBouncer
            return True
    return False


def _backend(session: Session) -> int:
    [pid] = row(session, "SELECT pg_backend_pid()")
    return int(pid)
