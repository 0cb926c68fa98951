"""Schedule the retries of refused callers over the next minute of a lane."""

import math

LONGEST_SECONDS = 60
# Share of the capacity that is left for new callers. With all of it promised to refused callers, every other one of
# them would find his place taken by a new caller.
UNPROMISED = 0.5
QUIET_SECONDS = 1.0
CELLS_PER_SECOND = 20
CELL_CAPACITY = round(1e6 / CELLS_PER_SECOND * (1 - UNPROMISED))  # microseconds of work


class RetrySchedule:
    """Gives each refused caller of a lane the next free time, so that retries arrive one after the other.

    `Retry-After` has whole seconds only: callers that are refused at the same moment and told the same second would
    return together and be refused again. So the schedule has cells of 50 ms, and each caller is told the first whole
    second after which he returns in a cell that has room.
    """

    def __init__(self) -> None:
        self._promised: dict[int, int] = {}  # microseconds of work by cell
        self._oldest = 0
        self._refused_at = -math.inf

    def next(self, now: float, over: float, work: float) -> int:
        """Return the whole seconds, 1 to LONGEST_SECONDS, after which a refused caller should return.

        Args:
            now: Seconds on a monotonic clock.
            over: Seconds until the queue is below its limit.
            work: Seconds of work that the caller brings.
        """
        self._forget_past(now)
        self._refused_at = now
        first = min(max(1, math.ceil(over)), LONGEST_SECONDS)
        for seconds in range(first, LONGEST_SECONDS):
            if self._promised.get(_cell(now + seconds), 0) < CELL_CAPACITY:
                break
        else:
            seconds = LONGEST_SECONDS
        cell, last, left = _cell(now + seconds), _cell(now + LONGEST_SECONDS), round(work * 1e6)
        while left > 0 and cell <= last:  # a large job takes the following cells too
            before = self._promised.get(cell, 0)
            self._promised[cell] = min(CELL_CAPACITY, before + left)
            left -= CELL_CAPACITY - before
            cell += 1
        return seconds

    def is_quiet(self, now: float) -> bool:
        """Whether QUIET_SECONDS have passed without a refusal."""
        return now - self._refused_at > QUIET_SECONDS

    def _forget_past(self, now: float) -> None:
        """Drop the cells before `now`; all cells after a quiet time, since there is room and callers may have left."""
        if self.is_quiet(now):
            self._promised.clear()
            self._oldest = _cell(now)
        while self._oldest < _cell(now):
            self._promised.pop(self._oldest, None)
            self._oldest += 1


def _cell(at: float) -> int:
    return int(at * CELLS_PER_SECOND)
