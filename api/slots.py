"""When a refused caller should come back: a schedule of the places that a lane will have. Used by api.admission."""

import random

LONGEST_SECONDS = 60
JITTER = 0.15
# Places that are not promised: for callers who come for the first time. Without them whoever is told a time finds his
# place taken every other time, since each refusal would promise all of the capacity.
UNPROMISED = 0.5
QUIET_SECONDS = 2.0


class Slots:
    """Each refusal is told the next free place of one lane, so that callers who obey come one after the other."""

    def __init__(self) -> None:
        self._last = 0.0  # of the places that were told, on the caller's clock
        self._refused = 0.0  # when the last was told

    def next(self, now: float, over: float, work: float) -> float:
        """Seconds from `now` until a caller with so many seconds of work has a place, if the lane has one in `over`."""
        self._refused = now
        self._last = min(max(now + over, self._last) + work / UNPROMISED, now + LONGEST_SECONDS)
        return self._last - now

    def free(self, now: float) -> None:
        """The lane has room. After a while without a refusal its promises are over: who was told one may be gone."""
        if now - self._refused > QUIET_SECONDS:
            self._last = 0.0


def whole_seconds(seconds: float) -> int:
    """For `Retry-After`: spread a little, and rounded up or down by chance, so that it is right in the mean."""
    spread = seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  nothing is kept secret
    return max(1, min(LONGEST_SECONDS, int(spread + random.random())))  # noqa: S311
