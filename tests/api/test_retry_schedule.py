"""What a refused caller is told is when it is let in: callers who obey, on a simulated clock."""

import heapq
import math
import random
import statistics
from dataclasses import dataclass, field
from itertools import count

import pytest

from api.admission.control import BURST, PAUSE_SECONDS
from api.admission.retry_schedule import CELLS, LONGEST_SECONDS, QUIET_SECONDS, ROOM, RetrySchedule
from benchmarks.users.user_model import Phase, Plan
from db.models import Lane as Name

LIMIT = 0.12
PLACE = ROOM / 1e6
ANSWER = 0.03  # seconds beside the wait
SETTLED = 40.0  # what is told before is of the beginning, when all come at once
OVER = 160.0  # the end of the overload
END = 200.0


@dataclass
class Lane:
    """A lane that judges `pace` jobs a second one after the other, and what its callers saw."""

    pace: float
    slots: RetrySchedule = field(default_factory=RetrySchedule)
    free_at: float = 0.0
    full_until: float = 0.0
    admitted: int = 0
    ratios: list[float] = field(default_factory=list)  #: time until admitted, of what the first refusal had told
    waits: list[float] = field(default_factory=list)
    refused_at: float = 0.0

    def refuses(self, now: float) -> int:
        """Whole seconds to come back after, or 0 and a place."""
        wait = max(0.0, self.free_at - now)
        limit = LIMIT * (BURST[Name.INTERACTIVE] if self.slots.calm(now) else 1)
        if now < self.full_until or wait > limit:
            if now >= self.full_until:
                self.full_until = now + max(PAUSE_SECONDS, wait - LIMIT)
            self.refused_at = now
            return self.slots.next(now, wait - LIMIT, 1 / self.pace)
        self.admitted += now < OVER
        self.waits.append(wait)
        self.free_at = max(now, self.free_at) + random.expovariate(self.pace)
        return 0


def closed_loop(users: int, pace: float, over: float, quitters: float = 0.0) -> Lane:
    """Users who send, obey each refusal (or leave, and others come), and come again; a third of the pace in the end."""
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
def test_the_median_time_until_admitted_is_what_was_told(users: int, pace: float, over: float, quitters: float) -> None:
    random.seed(1)
    lane = closed_loop(users, pace, over, quitters)
    assert 0.5 <= statistics.median(lane.ratios) <= 1.5
    # The refusals cost no capacity, and who is let in waits no longer than the limit.
    assert lane.admitted > 0.97 * pace * OVER
    assert statistics.mean(lane.waits) < LIMIT


def test_soon_after_an_overload_nobody_is_refused_any_more() -> None:
    random.seed(1)
    seconds = [max(0.0, closed_loop(500, 85, 2.3).refused_at - OVER) for _ in range(5)]
    assert statistics.median(seconds) <= 5


def test_callers_who_are_refused_together_do_not_come_back_together() -> None:
    slots = RetrySchedule()
    assert [slots.next(100.01, 0.0, work=PLACE) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert slots.next(100.01 + 1 / CELLS, 0.0, work=PLACE) == 1  # whole seconds later he is alone
    assert slots.next(100.01, 7.5, work=PLACE) == 8


def test_two_small_jobs_share_a_cell_and_a_large_one_takes_several() -> None:
    slots = RetrySchedule()
    assert [slots.next(100.01, 0.0, work=PLACE / 2) for _ in range(3)] == [1, 1, 2]
    assert slots.next(100.51, 0.0, work=3 * PLACE) == 1
    assert [slots.next(100.51 + cell / CELLS, 0.0, work=PLACE) for cell in range(4)] == [2, 2, 2, 1]


def test_nobody_is_sent_away_for_longer_than_a_minute() -> None:
    slots = RetrySchedule()
    assert slots.next(0.0, 3600.0, work=600.0) == LONGEST_SECONDS
    slots = RetrySchedule()
    slots.next(0.0, 0.0, work=600.0)
    assert slots.next(0.0, 0.0, work=600.0) == LONGEST_SECONDS


def test_promises_end_after_a_while_without_a_refusal() -> None:
    slots = RetrySchedule()
    assert slots.next(10.0, 0.0, work=600.0) == 1
    assert slots.next(10.0 + QUIET_SECONDS, 0.0, work=600.0) > 1
    assert slots.next(10.1 + 2 * QUIET_SECONDS, 0.0, work=600.0) == 1
