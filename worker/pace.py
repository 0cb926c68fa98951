"""Measure the pace of this worker while work is waiting. The API divides a backlog by it to estimate the wait.

worker.drain reports each claim and each predicted micro-batch; worker.context stores the pace. The unit is estimated
tokens per second, since the API counts waiting reviews in estimated tokens.
"""

import math
import threading
from collections.abc import Sequence

from db.claims import ClaimedReview, Outcome

MEMORY_SECONDS = 20.0  # of busy time, after which an old pace has a third of its weight
RISE_SECONDS = 2.0  # the same for short spans that show a higher pace
SPAN_SECONDS = 0.5  # shorter spans depend more on single reviews than on the worker
GAP_SECONDS = 0.25  # if the next drain starts later than this, the worker had no work in between


class Pace:
    """Tokens per second, averaged over the spans in which the worker was busy without a pause.

    A span ends only when the worker asked for work and nothing waited. Before the first span of half a second the pace
    is None: so far no work could have waited. Shorter spans include the cost of a start, so they can only raise the
    pace. They must be able to: a pace that is too low makes the API refuse the work that would produce longer spans.
    """

    def __init__(self, tokens_per_second: float | None = None) -> None:
        self.tokens_per_second = tokens_per_second
        self._known_seconds = 0.0
        self._lock = threading.Lock()
        self._began: float | None = None  # of the span, by the monotonic clock
        self._predicted_at = 0.0
        self._tokens = 0
        self._short_seconds = self._short_tokens = 0.0

    def resume(self, now: float) -> None:
        """Start a drain. If it follows the last one closely, the time between them counts as busy."""
        with self._lock:
            if now - self._predicted_at > GAP_SECONDS:
                self._end()

    def claimed(self, asked_at: float) -> None:
        """Count a claim that began at `asked_at` and found reviews."""
        with self._lock:
            if self._began is None:
                self._began, self._tokens = asked_at, 0

    def predicted(self, reviews: Sequence[ClaimedReview], outcomes: Sequence[Outcome], now: float) -> None:
        """Count predicted reviews. Reviews that failed, or were claimed alone as suspects, discard the current span."""
        sound = not any(each.suspect for each in reviews) and not any(each.attempts for each in outcomes)
        with self._lock:
            if self._began is None:
                return
            self._tokens += sum(each.tokens_estimate for each in reviews)
            self._predicted_at = now
            if not sound:
                self._began, self._tokens = now, 0
            elif now - self._began >= SPAN_SECONDS:
                self._learn(self._tokens, now - self._began)
                self._began, self._tokens = now, 0

    def idle(self) -> None:
        """End the span: nothing is claimed and nothing waits."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._began is not None and self._tokens:
            seconds = self._predicted_at - self._began
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
        """Add a span to the average, with a weight that grows with its length."""
        seen, before = tokens / seconds, self.tokens_per_second or 0.0
        # The plain mean of all spans at first, an exponentially weighted one later.
        weight = max(1 - math.exp(-seconds / MEMORY_SECONDS), seconds / (self._known_seconds + seconds))
        self._known_seconds += seconds
        self.tokens_per_second = before + weight * (seen - before)
