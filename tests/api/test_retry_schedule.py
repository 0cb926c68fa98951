"""Refused callers are accepted at the time in Retry-After: a simulation of callers that obey it."""

import heapq
import math
import random
import statistics
from dataclasses import dataclass, field
from itertools import count

import pytest

from api.admission.control import BURST, PAUSE_SECONDS
from api.admission.retry_schedule import CELL_CAPACITY, CELLS_PER_SECOND, LONGEST_SECONDS, QUIET_SECONDS, RetrySchedule
from benchmarks.users.user_model import Phase, Plan
from db.models import Lane as Name

LIMIT = 0.12
CELL_SECONDS = CELL_CAPACITY / 1e6
ANSWER = 0.03  # seconds beside the wait
SETTLED = 40.0  # refusals before this come from the start, when all callers arrive at once
OVER = 160.0  # the end of the overload
END = 200.0


@dataclass
class Lane:
    """A lane that finishes `pace` jobs a second, one after the other, and the waiting times of its callers."""

    pace: float
    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    free_at: float = 0.0
    full_until: float = 0.0
    admitted: int = 0
    ratios: list[float] = field(default_factory=list)  #: time until accepted, divided by the first Retry-After
    waits: list[float] = field(default_factory=list)
    refused_at: float = 0.0

    def refuses(self, now: float) -> int:
        """Return the Retry-After of a refusal in seconds; 0 if the job is accepted."""
        wait = max(0.0, self.free_at - now)
        limit = LIMIT * (BURST[Name.INTERACTIVE] if self.schedule.is_quiet(now) else 1)
        if now < self.full_until or wait > limit:
            if now >= self.full_until:
                self.full_until = now + max(PAUSE_SECONDS, wait - LIMIT)
            self.refused_at = now
            return self.schedule.next(now, wait - LIMIT, 1 / self.pace)
        self.admitted += now < OVER
        self.waits.append(wait)
        self.free_at = max(now, self.free_at) + random.expovariate(self.pace)
        return 0


def closed_loop(users: int, pace: float, over: float, quitters: float = 0.0) -> Lane:
    """Simulate users that send, obey each refusal or are replaced by others, and send again.

    The load is `over` times the pace until OVER, then a third of it.
    """
    lane, order, draw = Lane(pace), count(), random.Random(2)
    plan = Plan(users, "singles", [Phase(over * pace, OVER), Phase(pace / 3, END - OVER)])
    waiting = [(start, next(order), start, math.inf, 0) for start in (plan.first(draw) for _ in range(users))]
    heapq.heapify(waiting)
    while waiting[0][0] < END:
        now, _, start, first, told = heapq.heappop(waiting)
        again = lane.refuses(now)
        if again and draw.random() >= quitters:
            if first == math.inf:
                first, told = now, again
            heapq.heappush(waiting, (now + again, next(order), start, first, told))
            continue
        if not again and SETTLED <= first < OVER:
            lane.ratios.append((now - first) / told)
        following = plan.following(start, (now if again else lane.free_at) + ANSWER, draw)
        heapq.heappush(waiting, (following, next(order), following, math.inf, 0))
    return lane


@pytest.mark.parametrize(
    ("users", "pace", "over", "quitters"),
    [(500, 100, 3, 0), (500, 85, 2.3, 0), (500, 100, 6, 0), (1500, 160, 3, 0), (500, 30, 3, 0), (500, 100, 3, 0.2)],
)
def test_the_median_time_until_accepted_is_the_first_retry_after(
    users: int, pace: float, over: float, quitters: float
) -> None:
    random.seed(1)
    lane = closed_loop(users, pace, over, quitters)
    assert 0.5 <= statistics.median(lane.ratios) <= 1.5
    # Refusals cost no capacity, and accepted jobs wait no longer than the limit.
    assert lane.admitted > 0.97 * pace * OVER
    assert statistics.mean(lane.waits) < LIMIT


def test_soon_after_an_overload_no_caller_is_refused() -> None:
    random.seed(1)
    seconds = [max(0.0, closed_loop(500, 85, 2.3).refused_at - OVER) for _ in range(5)]
    assert statistics.median(seconds) <= 5


def test_callers_that_are_refused_together_return_at_different_times() -> None:
    schedule = RetrySchedule()
    assert [schedule.next(100.01, 0.0, work=CELL_SECONDS) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert schedule.next(100.01 + 1 / CELLS_PER_SECOND, 0.0, work=CELL_SECONDS) == 1  # another cell
    assert schedule.next(100.01, 7.5, work=CELL_SECONDS) == 8


def test_two_small_jobs_share_a_cell_and_a_large_one_takes_several() -> None:
    schedule = RetrySchedule()
    assert [schedule.next(100.01, 0.0, work=CELL_SECONDS / 2) for _ in range(3)] == [1, 1, 2]
    assert schedule.next(100.51, 0.0, work=3 * CELL_SECONDS) == 1
    assert [schedule.next(100.51 + cell / CELLS_PER_SECOND, 0.0, work=CELL_SECONDS) for cell in range(4)] == [
        2,
        2,
        2,
        1,
    ]


def test_retry_after_is_at_most_a_minute() -> None:
    schedule = RetrySchedule()
    assert schedule.next(0.0, 3600.0, work=600.0) == LONGEST_SECONDS
    schedule = RetrySchedule()
    schedule.next(0.0, 0.0, work=600.0)
    assert schedule.next(0.0, 0.0, work=600.0) == LONGEST_SECONDS


def test_promised_times_are_forgotten_after_a_quiet_time() -> None:
    schedule = RetrySchedule()
    assert schedule.next(10.0, 0.0, work=600.0) == 1
    assert schedule.next(10.0 + QUIET_SECONDS, 0.0, work=600.0) > 1
    assert schedule.next(10.1 + 2 * QUIET_SECONDS, 0.0, work=600.0) == 1
