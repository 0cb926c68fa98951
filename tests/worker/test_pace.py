"""A worker's pace, by a clock that the test moves: what saturates a worker counts, a light load says nothing."""

from dataclasses import dataclass
from uuid import uuid4

import pytest

from db.claims import ClaimedReview, Outcome
from worker.pace import GAP_SECONDS, Pace

TOKENS = 100  # of each review


@dataclass
class Worker:
    """Works in batches by a clock of its own."""

    pace: Pace
    now: float = 1_000.0

    def judge(self, seconds: float, reviews: int = 1, *, suspect: bool = False, broken: bool = False) -> None:
        """Claim a batch and judge it in so many seconds."""
        self.pace.claimed(self.now)
        self.now += seconds
        some = [ClaimedReview(uuid4(), uuid4(), "", 0, TOKENS, suspect) for _ in range(reviews)]
        outcomes = [Outcome(each.id, each.job_id, attempts=int(broken)) for each in some]
        self.pace.judged(some, outcomes, self.now)

    def rest(self, seconds: float) -> None:
        """Ask in vain, and wait to be woken."""
        self.pace.idle()
        self.now += seconds
        self.pace.resume(self.now)


def rate(pace: Pace) -> float:
    assert pace.tokens_per_second is not None
    return pace.tokens_per_second


def test_nothing_is_known_before_anything_was_judged() -> None:
    assert Pace().tokens_per_second is None


def test_the_first_saturated_span_is_the_pace_of_a_worker_without_one() -> None:
    worker = Worker(Pace())
    worker.judge(0.5, reviews=8)
    assert rate(worker.pace) == pytest.approx(8 * TOKENS / 0.5)


@pytest.mark.parametrize("start", [100_000, 100])
def test_under_saturation_a_wrong_beginning_is_soon_forgotten(start: float) -> None:
    worker = Worker(Pace(start))
    for _ in range(100):  # 10 s
        worker.judge(0.1, reviews=100)
    assert rate(worker.pace) == pytest.approx(100_000, rel=0.2)
    for _ in range(600):
        worker.judge(0.1, reviews=100)
    assert rate(worker.pace) == pytest.approx(100_000, rel=0.01)


def test_a_pace_that_lasts_moves_by_a_part_for_each_span() -> None:
    worker = Worker(Pace())
    for _ in range(1_000):
        worker.judge(0.1, reviews=100)
    worker.judge(0.5, reviews=1)  # one slow span
    assert rate(worker.pace) == pytest.approx(100_000, rel=0.05)
    for _ in range(200):  # 20 s at half the speed
        worker.judge(0.1, reviews=50)
    assert 55_000 < rate(worker.pace) < 75_000


def test_a_light_load_changes_nothing() -> None:
    worker = Worker(Pace(50_000))
    for _ in range(1_000):
        worker.judge(0.01)
        worker.rest(0.09)
    assert rate(worker.pace) == 50_000


def test_one_slow_batch_alone_is_no_rest() -> None:
    worker = Worker(Pace(1_000))
    worker.judge(1.0, reviews=50)
    assert rate(worker.pace) > 1_000


def test_the_time_between_two_drains_is_a_cost_of_the_work() -> None:
    worker = Worker(Pace())
    worker.judge(0.4, reviews=8)
    worker.now += GAP_SECONDS / 2
    worker.pace.resume(worker.now)  # no `idle` before: the first drain's time was up
    worker.judge(0.4, reviews=8)
    assert rate(worker.pace) == pytest.approx(16 * TOKENS / (0.8 + GAP_SECONDS / 2))


def test_a_long_silence_between_two_drains_is_none() -> None:
    worker = Worker(Pace())
    worker.judge(0.4, reviews=8)
    worker.now += 100
    worker.pace.resume(worker.now)
    worker.judge(0.5, reviews=8)
    assert rate(worker.pace) == pytest.approx(8 * TOKENS / 0.5)


@pytest.mark.parametrize("trouble", ["suspect", "broken"])
def test_reviews_that_are_claimed_or_fail_alone_say_nothing(trouble: str) -> None:
    worker = Worker(Pace(50_000))
    for _ in range(100):
        worker.judge(0.6, **{trouble: True})
    assert rate(worker.pace) == 50_000


def test_after_trouble_a_new_span_begins() -> None:
    worker = Worker(Pace())
    worker.judge(0.4, suspect=True)
    worker.judge(0.5, reviews=8)
    assert rate(worker.pace) == pytest.approx(8 * TOKENS / 0.5)


def test_what_is_judged_without_a_span_is_not_counted() -> None:
    pace = Pace()
    pace.judged([ClaimedReview(uuid4(), uuid4(), "", 0, TOKENS)], [], 5.0)
    assert pace.tokens_per_second is None


def test_short_spans_raise_a_pace_that_is_too_low() -> None:
    worker = Worker(Pace(1_000))
    for _ in range(500):  # 10 s of work
        worker.judge(0.02)
        worker.rest(0.5)
    assert rate(worker.pace) == pytest.approx(TOKENS / 0.02, rel=0.05)


def test_short_spans_alone_are_no_pace() -> None:
    worker = Worker(Pace())
    for _ in range(500):
        worker.judge(0.02)
        worker.rest(0.5)
    assert worker.pace.tokens_per_second is None
