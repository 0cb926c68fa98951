"""The gauges of what stands in the store, set whenever metrics are asked for. Called by api.health."""

import math
from contextlib import suppress
from datetime import timedelta

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

from db import pool
from db.engine import DatabaseError, Engine, reading
from db.measures import Measures, measure
from monitoring.metrics import (
    BACKLOG_OLDEST_SECONDS,
    BACKLOG_ROWS,
    BACKLOG_TOKENS,
    CAPACITY,
    IN_FLIGHT_ROWS,
    STORE_UP,
    WORKERS_LIVE,
)

LONGEST_SECONDS = 1.0  # a scrape waits no longer for the store, which it may have come to report as lost

_LANES = (BACKLOG_ROWS, BACKLOG_TOKENS, BACKLOG_OLDEST_SECONDS, IN_FLIGHT_ROWS)
# A thread of its own, so that requests which wait for the store cannot keep it waiting; one, so that those which a
# frozen store holds do not grow with every scrape.
_looking: RunVar[CapacityLimiter] = RunVar("looking")


async def refresh(engine: Engine, fresh: timedelta) -> None:
    """Set every gauge; without the store those that only it knows are missing or NaN, never what they were."""
    pool.show(engine)
    found: Measures | None = None
    with move_on_after(LONGEST_SECONDS), suppress(DatabaseError):
        found = await to_thread.run_sync(_look, engine, fresh, abandon_on_cancel=True, limiter=_limiter())
    STORE_UP.set(found is not None)
    for gauge in _LANES:
        gauge.clear()
    WORKERS_LIVE.set(found.workers if found else math.nan)
    CAPACITY.set(found.tokens_per_second if found else math.nan)
    for lane, standing in found.lanes.items() if found else ():
        BACKLOG_ROWS.labels(lane).set(standing.rows)
        BACKLOG_TOKENS.labels(lane).set(standing.tokens)
        BACKLOG_OLDEST_SECONDS.labels(lane).set(standing.oldest_seconds)
        IN_FLIGHT_ROWS.labels(lane).set(standing.in_flight)


def _limiter() -> CapacityLimiter:
    try:
        return _looking.get()
    except LookupError:
        _looking.set(limiter := CapacityLimiter(1))
        return limiter


def _look(engine: Engine, fresh: timedelta) -> Measures:
    with reading(engine) as connection:
        return measure(connection, fresh)
