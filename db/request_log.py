"""Statements about the request log, which has one partition a day (UTC), `request_log_20261122`."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from db.engine import driver_cursor

PARTITION = "request_log_%Y%m%d"
DROP_LOCK_TIMEOUT = "500ms"  # meanwhile all readers and writers of the log queue behind the DROP


class LoggedRequest(NamedTuple):
    """An answered request: the columns of the table, in its order. `at` is the end of the response."""

    at: datetime
    request_id: str
    key: str | None  #: the caller's
    method: str
    route: str  #: the template
    status: int
    duration_ms: float
    request_bytes: int
    response_bytes: int
    job_id: UUID | None  #: that the request created or named


_COPY = f"COPY request_log ({', '.join(LoggedRequest._fields)}) FROM STDIN"


def add(connection: Connection, requests: Iterable[LoggedRequest]) -> None:
    """Add requests; 1,000 take 12 ms. The partitions of their days must exist."""
    with driver_cursor(connection) as cursor, cursor.copy(_COPY) as copy:
        for request in requests:
            copy.write_row(request)


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('request_log', 0))")
_PARTITIONS = text("""
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = to_regclass('request_log') AND relname ~ '^request_log_[0-9]{8}$' ORDER BY relname
""")


def partitions(connection: Connection) -> list[date]:
    """Return the days that have a partition, from oldest to newest."""
    return [datetime.strptime(name, PARTITION).date() for name in connection.scalars(_PARTITIONS)]  # noqa: DTZ007  a day


def create_partitions(connection: Connection, days_ahead: int, since: date | None = None) -> None:
    """Create missing partitions for the days from today (UTC) or `since` until `days_ahead` days after today."""
    today = datetime.now(UTC).date()
    first = since or today
    days = {first + timedelta(days=ahead) for ahead in range((today - first).days + days_ahead + 1)}
    if not days <= set(partitions(connection)):
        connection.execute(_LOCK)  # until the transaction ends: two processes may do this at midnight
        for day in sorted(days - set(partitions(connection))):
            _create(connection, day)


def _create(connection: Connection, day: date) -> None:
    name, bounds = f"{day:{PARTITION}}", f"FROM ('{day}T00:00Z') TO ('{day + timedelta(days=1)}T00:00Z')"
    # ATTACH, since PARTITION OF would lock the whole log against readers and writers.
    connection.execute(text(f"CREATE TABLE {name} (LIKE request_log INCLUDING DEFAULTS)"))
    connection.execute(text(f"ALTER TABLE request_log ATTACH PARTITION {name} FOR VALUES {bounds}"))


_SHORT_LOCK_TIMEOUT = text(f"SET LOCAL lock_timeout = '{DROP_LOCK_TIMEOUT}'")


def drop_partition(connection: Connection, keep_days: int) -> date | None:
    """Drop the oldest day if it is more than `keep_days` days ago (UTC); return it, or None.

    One day for each transaction: if a long-running reader makes this one fail, the days dropped before stay dropped.

    Raises:
        DatabaseBusy: another transaction has been reading the log for longer than DROP_LOCK_TIMEOUT.
    """
    oldest = next(iter(partitions(connection)), None)
    if oldest is None or oldest >= datetime.now(UTC).date() - timedelta(days=keep_days):
        return None
    connection.execute(_SHORT_LOCK_TIMEOUT)
    connection.execute(text(f"DROP TABLE IF EXISTS {oldest:{PARTITION}}"))
    return oldest


_EXISTS = text("SELECT to_regclass('request_log') IS NOT NULL")
_FIND = text(f"""
SELECT {", ".join(LoggedRequest._fields)} FROM request_log
WHERE at >= now() - :age AND status BETWEEN :low AND :high AND (CAST(:route AS text) IS NULL OR route = :route)
ORDER BY at DESC LIMIT :limit
""")  # noqa: S608  our own text


def exists(connection: Connection) -> bool:
    """Return whether the schema has the log."""
    return bool(connection.scalar(_EXISTS))


def find(
    connection: Connection, age: timedelta, statuses: tuple[int, int], route: str | None, limit: int
) -> list[LoggedRequest]:
    """Return requests not older than `age` with a status between `statuses`, newest first."""
    low, high = statuses
    parameters = {"age": age, "low": low, "high": high, "route": route, "limit": limit}
    return [LoggedRequest._make(row) for row in connection.execute(_FIND, parameters)]
