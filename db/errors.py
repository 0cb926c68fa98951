"""The errors of the database, and their translation from the driver's.

DatabaseError
├── DatabaseUnavailable    the connection broke; a commit may or may not have happened
│   └── DatabaseUnreachable    no connection was made
├── DatabaseBusy           a lock, a statement or the pool took longer than its limit
└── DatabaseUnusable       its address, version, state or privileges must be changed first
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from db.driver import ConnectFailed

TOO_COMPLEX = "54"  # the class of SQLSTATEs for exceeded limits, such as the number of columns


class DatabaseError(Exception):
    """The database could not be used."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)

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


class DatabaseUnusable(DatabaseError):
    """The database cannot be used as it is. The message names the problem, the value and the remedy."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise a DatabaseError in place of the driver's errors that concern the database and not the statement."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy from error
    except (DBAPIError, psycopg.Error) as error:  # psycopg's own errors come from a `driver_cursor`
        trouble = _trouble(error.orig if isinstance(error, DBAPIError) else error)
        if trouble is None:
            raise
        raise trouble from error


def _trouble(cause: BaseException | None) -> DatabaseError | None:
    """Return the DatabaseError for an error of the driver; None if it concerns the statement."""
    match cause:
        case ConnectFailed():
            return DatabaseUnreachable()
        case errors.QueryCanceled() | errors.LockNotAvailable() | errors.DeadlockDetected():
            return DatabaseBusy()
        case errors.InsufficientResources() | errors.IdleInTransactionSessionTimeout():
            return DatabaseBusy()
        case psycopg.OperationalError(sqlstate=str(state)) if state.startswith(TOO_COMPLEX):
            return None
        case psycopg.OperationalError():
            return DatabaseUnavailable()
        case _:
            return None
