"""What a refused caller is told is when it is let in: callers who obey, on a simulated clock."""

import heapq
import random
import statistics
from dataclasses import dataclass, field
from itertools import count

import pytest

from api.admission import PAUSE_SECONDS
from api.slots import LONGEST_SECONDS, Slots, whole_seconds

LIMIT = 0.2
SECONDS = 240
SETTLED = 60  # what is told before is of the beginning, when all come at once


@dataclass
class Lane:
    """A lane that judges `pace` jobs a second one after the other, and what its callers saw."""

    pace: float
    slots: Slots = field(default_factory=Slots)
    free_at: float = 0.0
    full_until: float = 0.0
    admitted: int = 0
    ratios: list[float] = field(default_factory=list)  #: time until admitted, of what the first refusal had told
    waits: list[float] = field(default_factory=list)

    def refuses(self, now: float) -> int:
        """Whole seconds to come back after, or 0 and a place."""
        wait = max(0.0, self.free_at - now)
        if now < self.full_until or wait > LIMIT:
            if now >= self.full_until:
                self.full_until = now + max(PAUSE_SECONDS, wait - LIMIT)
            return whole_seconds(self.slots.next(now, max(0.0, wait - LIMIT), 1 / self.pace))
        self.slots.free(now)
        self.admitted += 1
        self.waits.append(wait)
        self.free_at = max(now, self.free_at) + random.expovariate(self.pace)
        return 0


def closed_loop(users: int, pace: float, over: float, quitters: float = 0.0) -> Lane:
    """Users who think, send, obey each refusal (or never come back), and think again."""
    lane, order = Lane(pace), count()
    think = users / (pace * over)
    waiting = [(random.uniform(0, think), next(order), -1.0, 0) for _ in range(users)]
    heapq.heapify(waiting)
    while waiting[0][0] < SECONDS:
        now, _, first, told = heapq.heappop(waiting)
        if again := lane.refuses(now):
            if first < 0:
                first, told = now, again
            if random.random() < quitters:  # goes away, and another user comes after a while
                again, first = round(random.expovariate(1 / think)), -1.0
            heapq.heappush(waiting, (now + again, next(order), first, told))
            continue
        if first >= SETTLED:
            lane.ratios.append((now - first) / told)
        heapq.heappush(waiting, (lane.free_at + random.expovariate(1 / think), next(order), -1.0, 0))
    return lane


@pytest.mark.parametrize(
    ("users", "pace", "over", "quitters"),
    [(500, 100, 3, 0), (500, 100, 1.5, 0), (500, 100, 6, 0), (1500, 160, 3, 0), (500, 30, 3, 0), (500, 100, 3, 0.2)],
)
def test_the_median_time_until_admitted_is_what_was_told(users: int, pace: float, over: float, quitters: float) -> None:
    random.seed(1)
    lane = closed_loop(users, pace, over, quitters)
    assert 0.5 <= statistics.median(lane.ratios) <= 1.5
    # The refusals cost no capacity, and who is let in waits no longer than the limit.
    assert lane.admitted > 0.93 * pace * SECONDS
    assert statistics.mean(lane.waits) < LIMIT


def test_callers_who_are_refused_together_come_back_one_after_the_other() -> None:
    slots = Slots()
    told = [slots.next(100.0, 0.5, work=0.1) for _ in range(10)]
    assert told == pytest.approx([0.5 + 0.2 * place for place in range(1, 11)])


def test_nobody_is_sent_away_for_longer_than_a_minute() -> None:
    slots = Slots()
    assert slots.next(0.0, 3600.0, work=600.0) == LONGEST_SECONDS
    assert whole_seconds(LONGEST_SECONDS) <= LONGEST_SECONDS


def test_promises_end_when_a_lane_has_had_room_for_a_while() -> None:
    slots = Slots()
    assert slots.next(10.0, 0.0, work=5.0) == pytest.approx(10)
    slots.free(11.0)
    assert slots.next(11.0, 0.0, work=5.0) == pytest.approx(19)
    slots.free(14.0)
    assert slots.next(14.0, 0.0, work=5.0) == pytest.approx(10)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0, 2.4, 17.5])
def test_whole_seconds_are_at_least_one_and_right_in_the_mean(seconds: float) -> None:
    random.seed(2)
    told = [whole_seconds(seconds) for _ in range(4_000)]
    assert min(told) >= 1
    if seconds >= 1.2:
        assert statistics.mean(told) == pytest.approx(seconds, rel=0.05)
