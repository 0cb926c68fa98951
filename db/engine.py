"""The connection pool, transactions, and the errors of the database. The statements are in the other modules.

DatabaseError
├── DatabaseUnavailable    the connection broke; a commit may or may not have happened
│   └── DatabaseUnreachable    no connection was made
├── DatabaseBusy           a lock, a statement or the pool took longer than its limit
└── ExtensionMissing       the server cannot store embeddings: nothing was migrated
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg.errors
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from db import driver
from settings import DatabaseSettings

__all__ = [
    "Connection",
    "DatabaseBusy",
    "DatabaseError",
    "DatabaseUnavailable",
    "DatabaseUnreachable",
    "Engine",
    "ExtensionMissing",
    "connect",
    "driver_connection",
    "driver_cursor",
    "reading",
    "transaction",
]


class DatabaseError(Exception):
    """The database could not be used."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)

    @property
    def reason(self) -> str:
        """Return the driver's message on one line, such as a wrong password or an unknown host."""
        cause = getattr(self.__cause__, "orig", None) or self.__cause__
        return " ".join(str(cause).split())


class DatabaseUnavailable(DatabaseError):
    """The connection to the database broke; whether the change was stored is unknown."""


class DatabaseUnreachable(DatabaseUnavailable):
    """The database cannot be reached."""


class DatabaseBusy(DatabaseError):
    """The database did not answer in time; nothing was changed."""


class ExtensionMissing(DatabaseError):
    """pgvector 0.8 or newer is missing, or this user may not create it: run CREATE EXTENSION vector as the owner."""


def connect(settings: DatabaseSettings, application: str, *, plan_once: bool = False) -> Engine:
    """Create the connection pool of a process, without a connection yet. `application` appears in pg_stat_activity.

    With `plan_once`, PostgreSQL uses generic plans: the claim of one review takes half the CPU of the server.
    """
    milliseconds = int(settings.database_timeout_seconds * 1000)
    engine = create_engine(
        settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_timeout_seconds,
        pool_recycle=1800,
        hide_parameters=True,  # errors are logged, and texts of reviews must not be
        pool_use_lifo=True,  # a small load uses few connections, so few backends
        connect_args={
            "application_name": application,
            "connect_timeout": driver.CONNECT_SECONDS,
            "keepalives_idle": 10,
            "tcp_user_timeout": 10_000,
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
            f" -c idle_in_transaction_session_timeout={milliseconds} -c jit=off"
            " -c hnsw.iterative_scan=strict_order"  # otherwise filtered rows reduce the number of neighbours
            + (" -c plan_cache_mode=force_generic_plan" if plan_once else ""),
        },
    )

    @event.listens_for(engine, "do_connect")
    def _(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> driver.Connection:
        return driver.Connection.connect(*arguments, **parameters)

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Run one transaction: commit when the block ends, roll back when it raises.

    Raises:
        DatabaseUnavailable, DatabaseBusy: in place of the driver's errors that concern the database and not the
            statement.
    """
    with _translated(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run read-only statements without the round trips of BEGIN and COMMIT. Raises as `transaction` does."""
    with _translated(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def one_trip(engine: Engine) -> Iterator[Connection]:
    """Give a connection to a function that sends all its statements in one pipeline. Raises as `transaction` does.

    The server runs them as one transaction and commits it at the end of the pipeline: one round trip for all.
    """
    with reading(engine) as connection:
        try:
            yield connection
        except psycopg.OperationalError:
            # SQLAlchemy did not see the error: if this connection broke, the others in the pool are broken too.
            if driver_connection(connection).closed:
                connection.invalidate()
                engine.dispose()
            raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy from error
    except (DBAPIError, psycopg.Error) as error:  # psycopg's own errors come from a `driver_cursor`
        trouble = _trouble(error.orig if isinstance(error, DBAPIError) else error)
        if trouble is None:
            raise
        raise trouble from error


def driver_cursor(connection: Connection) -> psycopg.Cursor[Any]:
    """Return a psycopg cursor in the same transaction, for COPY, which SQLAlchemy lacks."""
    return driver_connection(connection).cursor()


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection in the same transaction, for pipelines, which SQLAlchemy lacks."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # untyped
    return driver


def _trouble(cause: BaseException | None) -> DatabaseError | None:
    """Return the DatabaseError for an error of the driver; None if it concerns the statement."""
    match cause:
        case psycopg.errors.QueryCanceled() | psycopg.errors.LockNotAvailable():
            return DatabaseBusy()
        case psycopg.errors.DeadlockDetected() | psycopg.errors.InsufficientResources():
            return DatabaseBusy()
        case psycopg.errors.IdleInTransactionSessionTimeout():
            return DatabaseBusy()
        case psycopg.OperationalError(sqlstate=str(state)) if state.startswith("54"):
            return None  # a limit of PostgreSQL is exceeded, such as the number of columns
        case psycopg.OperationalError():
            connecting = cause.pgconn is not None
            return DatabaseUnreachable() if connecting else DatabaseUnavailable()
        case _:
            return None
