"""Write the request log in the background: buffered in memory, copied into PostgreSQL in batches.

A kill loses the requests since the last write, at most REQUEST_LOG_SECONDS. While PostgreSQL is down, up to 50,000
requests are buffered; beyond that the oldest are dropped and counted. If the connection breaks during a COMMIT, its
requests are written again and may be in the log twice.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta

import structlog
from anyio import CapacityLimiter, to_thread

from db import request_log
from db.engine import DatabaseError, Engine, transaction
from db.request_log import LoggedRequest
from monitoring.metrics import REQUESTS_UNLOGGED

MOST_WAITING = 50_000  # 30 MB
BATCH = 1_000  # requests in a transaction
LAST_SECONDS = 5.0  # for the last write at shutdown

log = structlog.get_logger()


class RequestLog:
    """The buffer of requests that are to be written, for one event loop."""

    def __init__(self, seconds: float, most_waiting: int = MOST_WAITING) -> None:
        self._seconds, self._most_waiting = seconds, most_waiting
        self._waiting: deque[LoggedRequest] = deque()
        self._wake = asyncio.Event()
        self._is_ending = self._is_failing = False
        self._days: set[date] = set()  # that have a partition

    def add(self, request: LoggedRequest) -> None:
        """Add a request to the buffer; takes less than 1 µs."""
        self._waiting.append(request)
        self._drop_oldest()
        if len(self._waiting) == BATCH:
            self._wake.set()

    @asynccontextmanager
    async def open(self, engine: Engine) -> AsyncIterator[None]:
        """Write in the background while the block runs, and write the rest at its end."""
        writing = asyncio.create_task(self._write_regularly(engine))
        try:
            yield
        finally:
            self._is_ending = True
            self._wake.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(writing, LAST_SECONDS)
            if self._waiting:
                self._lost(len(self._waiting), "PostgreSQL did not accept them before the shutdown")

    async def _write_regularly(self, engine: Engine) -> None:
        limiter = CapacityLimiter(1)  # its own thread: those of the requests may all wait for a connection
        is_last = False
        while not is_last:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._seconds)
            self._wake.clear()
            is_last = self._is_ending
            await self._flush(engine, limiter)

    async def _flush(self, engine: Engine, limiter: CapacityLimiter) -> None:
        """Write the whole buffer, or stop at the first failure of PostgreSQL."""
        while requests := [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]:
            try:
                await to_thread.run_sync(self._write, engine, requests, limiter=limiter, abandon_on_cancel=True)
            except (DatabaseError, asyncio.CancelledError) as error:
                self._waiting.extendleft(reversed(requests))
                self._drop_oldest()
                if not self._is_failing:
                    log.warning("request_log_waits", error=str(error), requests=len(self._waiting))
                self._is_failing = True
                if isinstance(error, DatabaseError):
                    return
                raise
            except Exception as error:  # noqa: BLE001  caused by these requests or the table; later ones must go on
                self._days.clear()
                self._lost(len(requests), repr(error))
            else:
                self._is_failing = False

    def _write(self, engine: Engine, requests: Sequence[LoggedRequest]) -> None:
        today = datetime.now(UTC).date()
        days = {today, today + timedelta(days=1), *(request.at.date() for request in requests)}
        with transaction(engine) as connection:
            if not days <= self._days:
                request_log.create_partitions(connection, days_ahead=1, since=min(days))
            request_log.add(connection, requests)
        self._days |= days

    def _drop_oldest(self) -> None:
        while len(self._waiting) > self._most_waiting:
            self._waiting.popleft()
            REQUESTS_UNLOGGED.inc()

    @staticmethod
    def _lost(requests: int, reason: str) -> None:
        REQUESTS_UNLOGGED.inc(requests)
        log.error("requests_unlogged", requests=requests, reason=reason)
