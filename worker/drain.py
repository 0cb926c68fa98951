"""Drain the lanes: claim → tokenise → predict → complete, until nothing waits.

While the calling thread predicts one micro-batch, a second thread claims and tokenises the next, and a third stores the
previous one. An interactive micro-batch overtakes every bulk one whose prediction has not begun.
"""

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from uuid import UUID

from structlog.contextvars import bound_contextvars

from db import jobs, leases
from db.claims import Claim, ClaimLimits
from db.engine import transaction
from db.models import Lane, ModelLane
from inference.batching import micro_batches
from monitoring.metrics import STEP_TIME
from worker.context import WorkerContext
from worker.heartbeat import beat
from worker.micro_batch import MicroBatch, known_batch
from worker.predict import predict, tokenise
from worker.store import store

DRAIN_SECONDS = 5  # bulk is claimed for at most this long, so that stopping takes no longer
GRACE_SECONDS = 10  # after that, interactive reviews are claimed for this long beside the remaining bulk
POLL_SECONDS = 0.025  # delay until reviews that arrive during a prediction are claimed; a claim costs 1 ms
CONTENDED_SECONDS = 0.005  # another worker holds a job's row for about 1 ms


class Drain:
    """One drain, for one wake-up; `run` is called once."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._ready: list[MicroBatch] = []
        self._predicted: queue.SimpleQueue[MicroBatch | None] = queue.SimpleQueue()
        self._held: set[UUID] = set()
        self._changed = threading.Condition()
        self._predicting = self._wanted = self._closed = False
        self._stored = threading.Event()
        self._ages = itertools.count()
        self._ends_at = time.monotonic() + DRAIN_SECONDS

    def run(self) -> None:
        """Work until nothing waits or the time is up; in the latter case send another wake-up.

        Raises:
            DatabaseError: the database cannot be reached. Claimed reviews are queued again when their lease expires.
        """
        self._context.pace.resume(time.monotonic())
        beating = partial(beat, self._context, self._held, self._stored)
        with ThreadPoolExecutor(3, thread_name_prefix="drain") as threads:
            named: dict[str, Callable[[], None]] = {"claim": self._feed, "store": self._store, "heartbeat": beating}
            loops = [threads.submit(self._guard, name, loop) for name, loop in named.items()]
            try:
                for batch in self._next_batches():
                    self._predict(batch)
            finally:
                self._predicted.put(None)
                self._close()
        for loop in loops:
            loop.result()
        if time.monotonic() >= self._ends_at:
            for lane in Lane:
                self._context.wake(ModelLane(self._context.settings.model, lane))

    def _guard(self, name: str, loop: Callable[[], None]) -> None:
        threading.current_thread().name = f"drain-{name}"
        # An error in one loop ends the others and then the task, so that nothing waits for ever.
        try:
            loop()
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next_batches(self) -> Iterator[MicroBatch]:
        while True:
            with self._changed:
                self._predicting = False
                self._want_if_empty()
                self._changed.wait_for(lambda: self._ready or self._closed)
                if not self._ready:
                    return
                batch = heapq.heappop(self._ready)
                self._predicting = True
                self._want_if_empty()
            yield batch

    def _want_if_empty(self) -> None:
        if not self._ready:
            self._wanted = True
            self._changed.notify_all()

    def _feed(self) -> None:
        """Keep a micro-batch ready until nothing waits: claim whenever none is ready, and every POLL_SECONDS."""
        while not self._over():
            idle, asked_at = not (self._predicting or self._ready), time.monotonic()
            self._wanted = False
            claim = self._claim()
            if claim:
                STEP_TIME.labels("claim").observe(time.monotonic() - asked_at)
                self._context.pace.claimed(asked_at)
                self._cut(claim)
            elif idle and not self._contended():
                self._context.pace.idle()
                break
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed, timeout=POLL_SECONDS)
        self._close()

    def _over(self) -> bool:
        late = time.monotonic() - self._ends_at
        return self._closed or (late >= 0 and not self._ready) or late >= GRACE_SECONDS

    def _claim(self) -> Claim | None:
        """Claim from the first lane in which reviews wait; from bulk only if no micro-batch is ready."""
        lanes = list(Lane) if not self._ready else [Lane.INTERACTIVE]
        own, settings = self._context, self._context.settings
        limits = ClaimLimits(settings.claim_reviews, settings.claim_tokens, timedelta(seconds=settings.lease_seconds))
        with transaction(own.engine) as connection:
            own.report_alive(connection)
            claim = partial(leases.claim, connection, model=settings.model, worker=own.name, limits=limits)
            return next(filter(None, (claim(lane=lane, fingerprint=own.fingerprint) for lane in lanes)), None)

    def _contended(self) -> bool:
        """Return whether reviews wait although none could be claimed: another worker has locked their job."""
        with transaction(self._context.engine) as connection:
            waiting = any(jobs.waiting(connection, lane, self._context.settings.model) for lane in Lane)
        if waiting:
            time.sleep(CONTENDED_SECONDS)
            self._wanted = True
        return waiting

    def _cut(self, claim: Claim) -> None:
        """Tokenise a claim and cut it into micro-batches for prediction."""
        self._held.add(claim.token)
        fresh = [review for review in claim.reviews if review.known is None]
        if len(fresh) < len(claim.reviews):
            self._predicted.put(known_batch(claim, last=not fresh))
        with bound_contextvars(batch=str(claim.token)), self._context.step():
            items, broken = tokenise(self._context, fresh)
        budget = self._context.settings.micro_batch_tokens
        groups = micro_batches([encoded for _, encoded in items], budget) or ([[]] if fresh else [])
        rank = list(Lane).index(claim.lane)
        due = []
        for left, group in zip(reversed(range(len(groups))), groups, strict=True):
            chosen = [items[index] for index in group]
            batch = MicroBatch((rank, next(self._ages)), claim, chosen, [] if left else broken, last=not left)
            if chosen and chosen[0][1].settled:
                self._predict(batch)  # at once: it takes microseconds, and does not wait for a forward pass
            else:
                due.append(batch)
        with self._changed:
            for batch in due:
                heapq.heappush(self._ready, batch)
            self._want_if_empty()
            self._changed.notify_all()

    def _predict(self, batch: MicroBatch) -> None:
        with bound_contextvars(batch=str(batch.claim.token)), batch.span("predict"), self._context.step():
            batch.outcomes.extend(predict(self._context, batch.items))
        self._context.pace.predicted([review for review, _ in batch.items], batch.outcomes, time.monotonic())
        self._predicted.put(batch)

    def _store(self) -> None:
        """Store predicted micro-batches in order, and notify waiting requests of ended jobs."""
        try:
            while (batch := self._predicted.get()) is not None:
                with bound_contextvars(batch=str(batch.claim.token)), batch.span("store"):
                    ended = store(self._context, batch.claim, batch.items, batch.outcomes, last=batch.last)
                if batch.last:
                    self._held.discard(batch.claim.token)
                # On job end only: each message makes every waiter read the job again (4 ms for 100 reviews).
                self._context.notify(ended)
        finally:
            self._stored.set()
