"""Refuse submissions while their queue is full: 429 with a `Retry-After` that is kept.

PostgreSQL decides under a lock, in the transaction that adds the job (db.admission). For a moment after such a
refusal this process refuses by itself, before it parses a body.

Each model has its own queues (lanes), so jobs of one model never cause a refusal for another. Until a live worker of a
model has measured its pace, waiting times are unknown and every job is accepted.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Literal, NoReturn

from api.admission.retry_schedule import RetrySchedule
from api.errors import Overloaded
from db.admission import Ahead, LaneFull
from db.models import Lane, ModelLane
from monitoring.metrics import SHED
from settings import ApiSettings

# The limit is so many times higher after a second without a refusal: a short burst of long reviews is let through.
BURST = {Lane.INTERACTIVE: 4.0, Lane.BULK: 1.0}
PAUSE_SECONDS = 0.05  # after a refusal, before PostgreSQL is asked again; workers finish part of the limit meanwhile
LONGEST_PAUSE_SECONDS = 1.0
LAG_INTERVAL_SECONDS = 0.1
# Bulk jobs may wait for hours, but no request should wait that long for a thread of the API.
LONGEST_BACKLOG_SECONDS = 2.0

Reason = Literal["backlog", "api"]


class AdmissionControl:
    """The full queues that one API process knows of, and its own backlog of submissions."""

    def __init__(self, settings: ApiSettings, threads: int) -> None:
        self._limits = {Lane.INTERACTIVE: settings.admit_interactive_seconds, Lane.BULK: settings.admit_bulk_seconds}
        # Bounded: it holds only queues of models that are served, not names that callers make up.
        self._schedules: defaultdict[ModelLane, RetrySchedule] = defaultdict(RetrySchedule)
        self._full: dict[ModelLane, _Full] = {}
        self._backlog = _Backlog(threads)

    def limit(self, queue: ModelLane) -> float:
        """Return the seconds of work that may be queued before a new job; more if no caller was refused lately."""
        is_quiet = self._schedules[queue].is_quiet(time.monotonic())
        return self._limits[queue.lane] * (BURST[queue.lane] if is_quiet else 1)

    def check(self, queue: ModelLane, tokens: float) -> None:
        """Refuse a job of about `tokens` tokens if that is certain without asking PostgreSQL.

        Raises:
            Overloaded: The queue was full a moment ago, or too many submissions wait for a thread of this process.
        """
        now, full = time.monotonic(), self._full.get(queue)
        if full and now < full.until:
            self._refuse(queue, "backlog", full.seconds_left(now), tokens / full.pace)
        backlog = self._backlog.seconds
        if backlog > min(self._limits[queue.lane], LONGEST_BACKLOG_SECONDS):
            self._refuse(queue, "api", backlog, self._backlog.seconds_each)

    @contextmanager
    def submitting(self, tokens: float) -> Iterator[None]:
        """Run a submission of JSON: as `refusing_if_full`, and measured as a part of the API's backlog."""
        with self.refusing_if_full(tokens), self._backlog.measured():
            yield

    @contextmanager
    def refusing_if_full(self, tokens: float) -> Iterator[None]:
        """Run any submission of about `tokens` tokens, and remember the queue if PostgreSQL found it full.

        Raises:
            Overloaded: In place of LaneFull.
        """
        try:
            yield
        except LaneFull as error:
            queue, limit = error.queue, self._limits[error.queue.lane]
            full = self._full[queue] = _Full(time.monotonic(), error.ahead, limit)
            self._refuse(queue, "backlog", error.ahead.seconds, tokens / full.pace)

    def _refuse(self, queue: ModelLane, reason: Reason, queued: float, work: float) -> NoReturn:
        SHED.labels(*queue, reason).inc()
        limit = self._limits[queue.lane]
        seconds = self._schedules[queue].next(time.monotonic(), queued - limit, work)
        raise Overloaded(
            f"About {queued:.2f} s of work are queued before this job; the limit is {limit:g} s. Nothing was stored."
            f" Try again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )

    @asynccontextmanager
    async def measuring_lag(self) -> AsyncIterator[None]:
        """Measure the lag of the event loop while the block runs."""
        measuring = asyncio.create_task(self._backlog.measure_lag())
        try:
            yield
        finally:
            measuring.cancel()
            with suppress(asyncio.CancelledError):
                await measuring


class _Full:
    """A queue that PostgreSQL found full, and the time until which this process refuses for it."""

    def __init__(self, now: float, ahead: Ahead, limit: float) -> None:
        self._empty = now + ahead.seconds
        self.pace = ahead.tokens_per_second or 1.0
        self.until = now + min(max(ahead.seconds - limit, PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)

    def seconds_left(self, now: float) -> float:
        return max(0.0, self._empty - now)


class _Backlog:
    """The time that a submission waits for one of `threads` threads, and for the event loop."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._open = 0
        self.seconds_each = 0.0  # moving mean of a submission's time divided by those that ran at once
        self._lags = deque([0.0] * 3, maxlen=3)

    @property
    def seconds(self) -> float:
        if self._open < self._threads:
            return 0.0  # a free thread: a single caller is served even by a slow machine
        # The smallest of the last three lags, so that one pause does not count.
        return (self._open - self._threads) * self.seconds_each + min(self._lags)

    @contextmanager
    def measured(self) -> Iterator[None]:
        self._open += 1
        open_now, began = self._open, time.monotonic()
        try:
            yield
        finally:
            self._open -= 1
            self.seconds_each += 0.1 * ((time.monotonic() - began) / open_now - self.seconds_each)

    async def measure_lag(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(LAG_INTERVAL_SECONDS)
            self._lags.append(time.monotonic() - began - LAG_INTERVAL_SECONDS)
