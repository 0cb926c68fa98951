"""Refuses submissions while too much stands before them: 429 with a `Retry-After` that holds.

The store decides, under a lock, in the transaction that adds the job (db.admission); between two of its refusals this
process refuses by itself, before it parses a body. Called by api.routes.jobs, api.routes.classify and
api.routes.uploads.

Each model has lanes of its own: what waits for one model refuses nothing that is meant for another. While no live
worker of a model has said how fast it is, nobody can say how long anything waits for it, and all is accepted.
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

# Times the limit while nobody was refused for a second: a burst of a few hard reviews passes before anyone notices.
BURST = {Lane.INTERACTIVE: 4.0, Lane.BULK: 1.0}
PAUSE_SECONDS = 0.05  # a full queue is not asked again for so long; what is judged meanwhile is a part of its limit
LONGEST_PAUSE_SECONDS = 1.0
TICK_SECONDS = 0.1
# Of a lane whose work may wait for hours the API's own backlog may not: a request should not be that slow.
LONGEST_BACKLOG_SECONDS = 2.0

Reason = Literal["backlog", "api"]


class AdmissionControl:
    """What one API process knows of its queues, and of its own backlog."""

    def __init__(self, settings: ApiSettings, threads: int) -> None:
        self._limits = {Lane.INTERACTIVE: settings.admit_interactive_seconds, Lane.BULK: settings.admit_bulk_seconds}
        # Of queues to models that are served: a name that a caller makes up never gets here.
        self._slots: defaultdict[ModelLane, RetrySchedule] = defaultdict(RetrySchedule)
        self._full: dict[ModelLane, _Full] = {}
        self._backlog = _Backlog(threads)

    def within(self, queue: ModelLane) -> float:
        """Seconds of work that may stand before a job of the queue now; more while nobody was refused lately."""
        calm = self._slots[queue].calm(time.monotonic())
        return self._limits[queue.lane] * (BURST[queue.lane] if calm else 1)

    def check(self, queue: ModelLane, tokens: float) -> None:
        """Refuse, at no cost for the store, a job of about so many tokens.

        Raises:
            Overloaded: the store said that the queue is full a moment ago, or too many submissions are under way here.
        """
        now, full = time.monotonic(), self._full.get(queue)
        if full and now < full.until:
            self._refuse(queue, "backlog", full.waits(now), tokens / full.pace)
        backlog = self._backlog.seconds
        if backlog > min(self._limits[queue.lane], LONGEST_BACKLOG_SECONDS):
            self._refuse(queue, "api", backlog, self._backlog.each)

    @contextmanager
    def submitting(self, tokens: float) -> Iterator[None]:
        """Around a submission of small size: counts and times it, and learns from the store's refusal.

        Raises:
            Overloaded: in place of LaneFull.
        """
        with self.heeding(tokens), self._backlog.measured():
            yield

    @contextmanager
    def heeding(self, tokens: float) -> Iterator[None]:
        """Around any submission: learns from the store's refusal. Raises as `submitting` does."""
        try:
            yield
        except LaneFull as error:
            queue, limit = error.queue, self._limits[error.queue.lane]
            full = self._full[queue] = _Full(time.monotonic(), error.ahead, limit)
            self._refuse(queue, "backlog", error.ahead.seconds, tokens / full.pace)

    def _refuse(self, queue: ModelLane, reason: Reason, waits: float, work: float) -> NoReturn:
        SHED.labels(*queue, reason).inc()
        limit = self._limits[queue.lane]
        again = self._slots[queue].next(time.monotonic(), waits - limit, work)
        raise Overloaded(
            f"About {waits:.2f} s of work stand before this job, more than the {limit:g} s that may; nothing was kept."
            f" Try again in {again} s.",
            headers={"Retry-After": str(again)},
        )

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Measure how late the event loop is, as long as the block runs."""
        watch = asyncio.create_task(self._backlog.watch())
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch


class _Full:
    """A queue that was found full, and when it is worth another look."""

    def __init__(self, now: float, ahead: Ahead, limit: float) -> None:
        self._empty = now + ahead.seconds
        self.pace = ahead.tokens_per_second or 1.0
        self.until = now + min(max(ahead.seconds - limit, PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)

    def waits(self, now: float) -> float:
        return max(0.0, self._empty - now)


class _Backlog:
    """Submissions that wait for one of so many threads, at their latest pace, and the event loop's lag."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._open = 0
        self.each = 0.0  # seconds that a submission takes, of all that run at once
        self._lags = deque([0.0] * 3, maxlen=3)

    @property
    def seconds(self) -> float:
        if self._open < self._threads:
            return 0.0  # however slow the machine is, a caller who is alone is served
        # The smallest of three: one hiccup is no backlog.
        return (self._open - self._threads) * self.each + min(self._lags)

    @contextmanager
    def measured(self) -> Iterator[None]:
        self._open += 1
        among, began = self._open, time.monotonic()
        try:
            yield
        finally:
            self._open -= 1
            self.each += 0.1 * ((time.monotonic() - began) / among - self.each)

    async def watch(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            self._lags.append(time.monotonic() - began - TICK_SECONDS)
