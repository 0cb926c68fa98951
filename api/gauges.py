"""Set the gauges of queues, workers and overdue reviews from PostgreSQL, at each scrape of /metrics."""

import math
from contextlib import suppress

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

from db import pool, sla
from db.engine import DatabaseError, Engine, read_only
from db.measures import Measures, measure
from monitoring.metrics import (
    BACKLOG_OLDEST_SECONDS,
    BACKLOG_ROWS,
    BACKLOG_TOKENS,
    CAPACITY,
    IN_FLIGHT_ROWS,
    OVERDUE_REVIEWS,
    OVERDUE_SECONDS,
    STORE_UP,
    STRANDED_ROWS,
    STRANDED_SECONDS,
    UNFINISHED_ROWS,
    WORKERS_LIVE,
)
from monitoring.registries import UNFINISHED
from monitoring.sla import Unfinished

LONGEST_SECONDS = 1.0  # then the scrape goes on without PostgreSQL, and reports it as down

_SHOWN = (BACKLOG_ROWS, BACKLOG_TOKENS, BACKLOG_OLDEST_SECONDS, IN_FLIGHT_ROWS, WORKERS_LIVE, CAPACITY)
# Its own thread: a scrape does not queue behind requests that wait for PostgreSQL. Only one: while PostgreSQL hangs,
# scrapes do not pile up threads.
_measuring: RunVar[CapacityLimiter] = RunVar("measuring")


async def refresh(engine: Engine, default_model: str | None) -> None:
    """Set every gauge. Without PostgreSQL its gauges are removed or NaN; they never keep an old value."""
    pool.show(engine)
    found, unfinished = None, None
    with move_on_after(LONGEST_SECONDS), suppress(DatabaseError):
        found, unfinished = await to_thread.run_sync(
            _measure, engine, default_model, abandon_on_cancel=True, limiter=_limiter()
        )
    STORE_UP.set(found is not None)
    for gauge in _SHOWN:
        gauge.clear()
    _show(unfinished)
    for model, serving in found.models.items() if found else ():
        WORKERS_LIVE.labels(model).set(serving.workers)
        CAPACITY.labels(model).set(serving.tokens_per_second)
    for queue, standing in found.queues.items() if found else ():
        BACKLOG_ROWS.labels(*queue).set(standing.rows)
        BACKLOG_TOKENS.labels(*queue).set(standing.tokens)
        BACKLOG_OLDEST_SECONDS.labels(*queue).set(standing.oldest_seconds)
        IN_FLIGHT_ROWS.labels(*queue).set(standing.in_flight)


def _show(found: Unfinished | None) -> None:
    if found is None:
        for gauge in UNFINISHED:
            gauge.set(math.nan)
        return
    OVERDUE_REVIEWS.set(found.overdue)
    OVERDUE_SECONDS.set(found.overdue_seconds)
    UNFINISHED_ROWS.set(found.waiting)
    STRANDED_ROWS.set(found.stranded)
    STRANDED_SECONDS.set(found.stranded_seconds)


def _limiter() -> CapacityLimiter:
    try:
        return _measuring.get()
    except LookupError:
        _measuring.set(limiter := CapacityLimiter(1))
        return limiter


def _measure(engine: Engine, default_model: str | None) -> tuple[Measures, Unfinished]:
    with read_only(engine) as connection:
        return measure(connection, default_model), sla.unfinished(connection)
