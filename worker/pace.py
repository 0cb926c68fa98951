"""How fast this worker judges while there is always work: what the API divides a backlog by, to know how long it takes.

Told by worker.drain of each claim and each judged micro-batch; written to the store by worker.context. Counted in
estimated tokens, as the API counts what waits.
"""

import math
import threading
from collections.abc import Sequence

from db.claims import ClaimedReview, Outcome

MEMORY_SECONDS = 20.0  # of busy time, after which a third of an old pace is left
RISE_SECONDS = 2.0  # the same where short spans show that it can do better
SPAN_SECONDS = 0.5  # shorter ones say more about one review than about the worker
GAP_SECONDS = 0.25  # a drain that starts later than this after the last one has found a worker without work


class Pace:
    """Tokens per second, averaged over the spans in which something was claimed and not yet judged all the time.

    What waits for a claim counts as work too: a span ends only when the worker asked and nothing waited. Before the
    first span of half a second nothing is known: there was no work that could have waited. Shorter spans, each with
    the cost of a beginning, can only show that a pace is too low: else who is refused because of it would keep it low.
    """

    def __init__(self, tokens_per_second: float | None = None) -> None:
        self.tokens_per_second = tokens_per_second
        self._known_seconds = 0.0
        self._lock = threading.Lock()
        self._began: float | None = None  # of the span, by the monotonic clock
        self._judged_at = 0.0
        self._tokens = 0
        self._short_seconds = self._short_tokens = 0.0

    def resume(self, now: float) -> None:
        """A drain starts. If it comes soon after the last one, the time between them is a cost of the work."""
        with self._lock:
            if now - self._judged_at > GAP_SECONDS:
                self._end()

    def claimed(self, asked_at: float) -> None:
        """Something was claimed by a claim that began at `asked_at`."""
        with self._lock:
            if self._began is None:
                self._began, self._tokens = asked_at, 0

    def judged(self, reviews: Sequence[ClaimedReview], outcomes: Sequence[Outcome], now: float) -> None:
        """These were judged. Reviews that broke the model, or are claimed alone since they may, end a span unused."""
        sound = not any(each.suspect for each in reviews) and not any(each.attempts for each in outcomes)
        with self._lock:
            if self._began is None:
                return
            self._tokens += sum(each.tokens_estimate for each in reviews)
            self._judged_at = now
            if not sound:
                self._began, self._tokens = now, 0
            elif now - self._began >= SPAN_SECONDS:
                self._learn(self._tokens, now - self._began)
                self._began, self._tokens = now, 0

    def idle(self) -> None:
        """Nothing is claimed and nothing waits."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._began is not None and self._tokens:
            seconds = self._judged_at - self._began
            if seconds >= SPAN_SECONDS:
                self._learn(self._tokens, seconds)
            else:
                self._add_short(self._tokens, seconds)
        self._began = None

    def _add_short(self, tokens: float, seconds: float) -> None:
        self._short_tokens += tokens
        self._short_seconds += seconds
        if self._short_seconds >= SPAN_SECONDS:
            seen, before = self._short_tokens / self._short_seconds, self.tokens_per_second
            if before is not None and seen > before:
                self.tokens_per_second = before + (1 - math.exp(-self._short_seconds / RISE_SECONDS)) * (seen - before)
            self._short_seconds = self._short_tokens = 0.0

    def _learn(self, tokens: float, seconds: float) -> None:
        """Take a saturated span into the average, the more the longer it was."""
        seen, before = tokens / seconds, self.tokens_per_second or 0.0
        # At first the plain mean of all that was seen, later a fading one.
        weight = max(1 - math.exp(-seconds / MEMORY_SECONDS), seconds / (self._known_seconds + seconds))
        self._known_seconds += seconds
        self.tokens_per_second = before + weight * (seen - before)
