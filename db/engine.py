"""The connection pool and transactions. The statements are in the other modules, the errors in db.errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Connection, Engine, TextClause, create_engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from db import address, driver
from db.errors import (
    DatabaseBusy,
    DatabaseError,
    DatabaseUnavailable,
    DatabaseUnreachable,
    DatabaseUnusable,
    translated,
)
from db.rows import row_factory
from settings import DatabaseSettings

__all__ = [
    "Connection",
    "DatabaseBusy",
    "DatabaseError",
    "DatabaseUnavailable",
    "DatabaseUnreachable",
    "DatabaseUnusable",
    "Engine",
    "connect",
    "driver_connection",
    "driver_cursor",
    "one_trip",
    "pipelined",
    "read_only",
    "reading",
    "transaction",
]

T = TypeVar("T")
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here


def connect(settings: DatabaseSettings, application: str, *, plan_once: bool = False) -> Engine:
    """Create the connection pool of a process, without a connection yet. `application` appears in pg_stat_activity.

    With `plan_once`, PostgreSQL uses generic plans: the claim of one review takes half the CPU of the server.

    Raises:
        DatabaseUnusable: `DATABASE_URL` is malformed.
    """
    parameters = connection_parameters(settings, application, plan_once=plan_once)
    engine = create_engine(
        _shown(parameters),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_timeout_seconds,
        pool_recycle=1800,
        hide_parameters=True,  # errors are logged, and texts of reviews must not be
        pool_use_lifo=True,  # a small load uses few connections, so few backends
    )

    @event.listens_for(engine, "do_connect")
    def _(*_: object) -> driver.Connection:
        return driver.Connection.connect(**parameters)

    return engine


def connection_parameters(settings: DatabaseSettings, application: str, *, plan_once: bool = False) -> dict[str, Any]:
    """Return the libpq parameters of every connection: those of the URL, with ours added.

    Raises:
        DatabaseUnusable: `DATABASE_URL` is malformed.
    """
    given = address.parameters(settings.database_url)
    milliseconds = int(settings.database_timeout_seconds * 1000)
    session = (
        f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
        f" -c idle_in_transaction_session_timeout={milliseconds} -c jit=off"
        " -c hnsw.iterative_scan=strict_order"  # otherwise filtered rows reduce the number of neighbours
        + (" -c plan_cache_mode=force_generic_plan" if plan_once else "")
    )
    return {
        "connect_timeout": driver.CONNECT_SECONDS,
        "keepalives_idle": 10,
        "tcp_user_timeout": 10_000,
        **given,
        "application_name": application,
        "client_encoding": "utf8",  # a role or PGCLIENTENCODING may set another one
        "options": f"{given.get('options', '')} {session}".strip(),
    }


def _shown(parameters: dict[str, Any]) -> URL:
    """Return the address for SQLAlchemy, which only shows it: psycopg connects with the parameters themselves."""
    port = parameters.get("port", "")
    return URL.create(
        "postgresql+psycopg",
        parameters.get("user"),
        parameters.get("password"),
        parameters.get("host"),
        int(port) if port.isdecimal() else None,
        parameters.get("dbname"),
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Run one transaction: commit when the block ends, roll back when it raises.

    Raises:
        DatabaseUnavailable, DatabaseBusy: in place of the driver's errors that concern the database and not the
            statement.
    """
    with translated(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run read-only statements without the round trips of BEGIN and COMMIT. Raises as `transaction` does."""
    with translated(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def read_only(engine: Engine) -> Iterator[Connection]:
    """Run a block of reading statements in one transaction that PostgreSQL keeps read-only. Raises as `transaction`.

    It takes no more round trips than `transaction`: the driver sends BEGIN READ ONLY instead of BEGIN.
    """
    with translated(), engine.connect() as connection:
        readonly = connection.execution_options(postgresql_readonly=True)
        with readonly.begin():
            yield readonly


class Pipeline:
    """The statements of one transaction, which are sent together; `one_trip` creates it and commits."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection: psycopg.Connection[Any] | None = connection

    def execute(self, statement: TextClause, parameters: Mapping[str, object], kind: type[T]) -> psycopg.Cursor[T]:
        """Queue a statement with rows of a dataclass. Read the cursor after the block; before, it costs a round trip.

        Raises:
            RuntimeError: the block has ended, so that the statement would be a transaction of its own.
        """
        if self._connection is None:
            raise RuntimeError("a statement after the end of its pipeline")
        return self._connection.cursor(row_factory=row_factory(kind)).execute(_compiled(statement), parameters)

    def close(self) -> None:
        """Refuse further statements."""
        self._connection = None


@cache
def _compiled(statement: TextClause) -> str:
    """Return a statement in psycopg's style of parameters."""
    return str(statement.compile(dialect=_DIALECT))


@contextmanager
def pipelined(connection: Connection) -> Iterator[Pipeline]:
    """Send the statements of the block together, in the transaction of the connection."""
    own = driver_connection(connection)
    with own.pipeline():
        pipeline = Pipeline(own)
        yield pipeline
        pipeline.close()


@contextmanager
def one_trip(engine: Engine) -> Iterator[Pipeline]:
    """Run all statements of the block as one transaction in one round trip. Raises as `transaction` does.

    PostgreSQL runs pipelined statements as one transaction and commits at the Sync message, which is sent when the
    block ends. If the block raises, the connection is closed before that, so that nothing is committed.
    """
    with reading(engine) as connection:
        own = driver_connection(connection)
        try:
            with own.pipeline():
                yield from _statements(own)
        except BaseException as error:
            if own.pgconn.pipeline_status:  # its results were not read to the end
                own.pgconn.finish()
            if own.closed:
                connection.invalidate()
                # SQLAlchemy did not see the error: if this connection broke, the others in the pool are broken too.
                if isinstance(error, psycopg.OperationalError):
                    engine.dispose()
            raise


def _statements(own: psycopg.Connection[Any]) -> Iterator[Pipeline]:
    pipeline = Pipeline(own)
    try:
        yield pipeline
    except BaseException:
        own.pgconn.finish()
        raise
    finally:
        pipeline.close()


def driver_cursor(connection: Connection) -> psycopg.Cursor[Any]:
    """Return a psycopg cursor in the same transaction, for COPY, which SQLAlchemy lacks."""
    return driver_connection(connection).cursor()


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection of the same transaction."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # untyped
    return driver
