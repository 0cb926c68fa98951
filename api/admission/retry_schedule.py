"""When a refused caller should come back: a calendar of a lane's next minute. Used by api.admission.control."""

import math

LONGEST_SECONDS = 60
# Places that are not promised: for callers who come for the first time. Without them whoever is told a time finds his
# place taken every other time, since each refusal would promise all of the capacity.
UNPROMISED = 0.5
QUIET_SECONDS = 1.0
CELLS = 20  # a second
ROOM = round(1e6 / CELLS * (1 - UNPROMISED))  # microseconds of a cell


class RetrySchedule:
    """The next free place of one lane for each refused caller, so that callers who obey come one after the other.

    `Retry-After` knows whole seconds only: callers who are refused together come back together, however the seconds are
    spread over them, and are refused together again. So a place is a cell of 50 ms: each caller is told the first
    whole second after which he falls into a cell that still has room.
    """

    def __init__(self) -> None:
        self._taken: dict[int, int] = {}  # microseconds of work by cell, on the caller's clock
        self._oldest = 0
        self._refused = -math.inf  # when the last was told

    def next(self, now: float, over: float, work: float) -> int:
        """Whole seconds from `now` until a caller with `work` seconds of work has a place, in `over` at the soonest.

        At least 1, at most LONGEST_SECONDS.
        """
        self._forget(now)
        self._refused = now
        first = min(max(1, math.ceil(over)), LONGEST_SECONDS)
        for seconds in range(first, LONGEST_SECONDS):
            if self._taken.get(_cell(now + seconds), 0) < ROOM:
                break
        else:
            seconds = LONGEST_SECONDS
        cell, last, left = _cell(now + seconds), _cell(now + LONGEST_SECONDS), round(work * 1e6)
        while left > 0 and cell <= last:  # a large job takes the cells after it too
            before = self._taken.get(cell, 0)
            self._taken[cell] = min(ROOM, before + left)
            left -= ROOM - before
            cell += 1
        return seconds

    def calm(self, now: float) -> bool:
        """Whether nobody has been refused for a while."""
        return now - self._refused > QUIET_SECONDS

    def _forget(self, now: float) -> None:
        """Drop what is past; all, after a while without a refusal: there is room, and who was told may be gone."""
        if self.calm(now):
            self._taken.clear()
            self._oldest = _cell(now)
        while self._oldest < _cell(now):
            self._taken.pop(self._oldest, None)
            self._oldest += 1


def _cell(at: float) -> int:
    return int(at * CELLS)
