"""The connection pool and `transaction()`, the only place that commits.

Called by api, worker and maintenance; every statement itself stands in the modules beside this one.

    DatabaseError
    ├── StoreUnavailable    the connection broke: nothing was committed, or it is unknown whether
    │   └── StoreUnreachable    there is none
    ├── StoreBusy           a lock, a statement or the pool took longer than its limit
    └── ExtensionMissing    the server cannot hold embeddings: nothing was migrated
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
    "DatabaseError",
    "Engine",
    "ExtensionMissing",
    "StoreBusy",
    "StoreUnavailable",
    "StoreUnreachable",
    "connect",
    "driver_connection",
    "driver_cursor",
    "read_only",
    "reading",
    "transaction",
]


class DatabaseError(Exception):
    """The store could not be used."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)

    @property
    def reason(self) -> str:
        """In the driver's words, on one line: such as a wrong password, or a host that nobody knows."""
        cause = getattr(self.__cause__, "orig", None) or self.__cause__
        return " ".join(str(cause).split())


class StoreUnavailable(DatabaseError):
    """The connection to the store broke; whether the change was kept is unknown."""


class StoreUnreachable(StoreUnavailable):
    """The store cannot be reached."""


class StoreBusy(DatabaseError):
    """The store did not answer in time; nothing was changed."""


class ExtensionMissing(DatabaseError):
    """The server lacks pgvector 0.8 or newer, or we the right to it: let its owner run CREATE EXTENSION vector."""


def connect(settings: DatabaseSettings, application: str, *, plan_once: bool = False) -> Engine:
    """A pool for one process; opens no connection yet. `application` shows in pg_stat_activity.

    With `plan_once` no statement is planned for its values: a claim of one review takes the server half the CPU.
    """
    milliseconds = int(settings.database_timeout_seconds * 1000)
    engine = create_engine(
        settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_timeout_seconds,
        pool_recycle=1800,
        hide_parameters=True,  # an error is logged, and the texts of reviews must not be
        pool_use_lifo=True,  # idle connections stay idle, so a small load uses few backends
        connect_args={
            "application_name": application,
            "connect_timeout": driver.CONNECT_SECONDS,
            "keepalives_idle": 10,
            "tcp_user_timeout": 10_000,
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
            f" -c idle_in_transaction_session_timeout={milliseconds} -c jit=off"
            " -c hnsw.iterative_scan=strict_order"  # else rows that a filter drops are missing among the nearest
            + (" -c plan_cache_mode=force_generic_plan" if plan_once else ""),
        },
    )

    @event.listens_for(engine, "do_connect")
    def _(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> driver.Connection:
        return driver.Connection.connect(*arguments, **parameters)

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: commits when the block ends, rolls back when it raises.

    Raises:
        StoreUnavailable, StoreBusy: in place of every error of the driver that is about the store
            rather than about the statement.
    """
    with _translated(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """For statements that only read: without the round trips of BEGIN and COMMIT. Raises as `transaction` does."""
    with _translated(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def read_only(engine: Engine) -> Iterator[Connection]:
    """Run a block of reading statements in one transaction that PostgreSQL keeps read-only. Raises as `transaction`.

    It takes no more round trips than `transaction`: the driver sends BEGIN READ ONLY instead of BEGIN.
    """
    with _translated(), engine.connect() as connection:
        readonly = connection.execution_options(postgresql_readonly=True)
        with readonly.begin():
            yield readonly


@contextmanager
def one_trip(engine: Engine) -> Iterator[Connection]:
    """For a function that sends all its statements in one pipeline of the driver. Raises as `transaction` does.

    The server makes them one transaction, which it commits at the pipeline's end: one round trip for all.
    """
    with reading(engine) as connection:
        try:
            yield connection
        except psycopg.OperationalError:
            # SQLAlchemy did not see it: a broken connection says that those in the pool are broken too.
            if driver_connection(connection).closed:
                connection.invalidate()
                engine.dispose()
            raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise StoreBusy from error
    except (DBAPIError, psycopg.Error) as error:  # the driver's own come from a `driver_cursor`
        trouble = _trouble(error.orig if isinstance(error, DBAPIError) else error)
        if trouble is None:
            raise
        raise trouble from error


def driver_cursor(connection: Connection) -> psycopg.Cursor[Any]:
    """The driver's own cursor, in the same transaction: for COPY, which SQLAlchemy has not."""
    return driver_connection(connection).cursor()


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's own connection, in the same transaction: for pipelines, which SQLAlchemy has not."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # untyped
    return driver


def _trouble(cause: BaseException | None) -> DatabaseError | None:
    """What an error of the driver says about the store; None when it is about the statement."""
    match cause:
        case psycopg.errors.QueryCanceled() | psycopg.errors.LockNotAvailable():
            return StoreBusy()
        case psycopg.errors.DeadlockDetected() | psycopg.errors.InsufficientResources():
            return StoreBusy()
        case psycopg.errors.IdleInTransactionSessionTimeout():
            return StoreBusy()
        case psycopg.OperationalError(sqlstate=str(state)) if state.startswith("54"):
            return None  # beyond a limit of the program, such as too many columns
        case psycopg.OperationalError():
            connecting = cause.pgconn is not None
            return StoreUnreachable() if connecting else StoreUnavailable()
        case _:
            return None
