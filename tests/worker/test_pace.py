"""The pace of a worker, with a fake clock: busy spans count, a light load does not."""

from dataclasses import dataclass
from uuid import uuid4

import pytest

from db.claims import ClaimedReview, Outcome
from worker.pace import GAP_SECONDS, Pace

TOKENS = 100  # of each review


@dataclass
class Worker:
    """Predicts batches, with a clock of its own."""

    pace: Pace
    now: float = 1_000.0

    def predict(self, seconds: float, reviews: int = 1, *, suspect: bool = False, broken: bool = False) -> None:
        """Claim a batch and predict it in so many seconds."""
        self.pace.claimed(self.now)
        self.now += seconds
        some = [ClaimedReview(uuid4(), uuid4(), "", 0, TOKENS, suspect) for _ in range(reviews)]
        outcomes = [Outcome(each.id, each.job_id, attempts=int(broken)) for each in some]
        self.pace.predicted(some, outcomes, self.now)

    def rest(self, seconds: float) -> None:
        """Find no work, and wait for a wake-up."""
        self.pace.idle()
        self.now += seconds
        self.pace.resume(self.now)


def rate(pace: Pace) -> float:
    assert pace.tokens_per_second is not None
    return pace.tokens_per_second


def test_there_is_no_pace_before_the_first_prediction() -> None:
    assert Pace().tokens_per_second is None


def test_the_first_saturated_span_is_the_pace_of_a_worker_without_one() -> None:
    worker = Worker(Pace())
    worker.predict(0.5, reviews=8)
    assert rate(worker.pace) == pytest.approx(8 * TOKENS / 0.5)


@pytest.mark.parametrize("start", [100_000, 100])
def test_a_wrong_start_value_is_soon_forgotten_under_load(start: float) -> None:
    worker = Worker(Pace(start))
    for _ in range(100):  # 10 s
        worker.predict(0.1, reviews=100)
    assert rate(worker.pace) == pytest.approx(100_000, rel=0.2)
    for _ in range(600):
        worker.predict(0.1, reviews=100)
    assert rate(worker.pace) == pytest.approx(100_000, rel=0.01)


def test_each_span_moves_an_established_pace_only_partly() -> None:
    worker = Worker(Pace())
    for _ in range(1_000):
        worker.predict(0.1, reviews=100)
    worker.predict(0.5, reviews=1)  # one slow span
    assert rate(worker.pace) == pytest.approx(100_000, rel=0.05)
    for _ in range(200):  # 20 s at half the speed
        worker.predict(0.1, reviews=50)
    assert 55_000 < rate(worker.pace) < 75_000


def test_a_light_load_changes_nothing() -> None:
    worker = Worker(Pace(50_000))
    for _ in range(1_000):
        worker.predict(0.01)
        worker.rest(0.09)
    assert rate(worker.pace) == 50_000


def test_a_single_slow_batch_counts_as_busy() -> None:
    worker = Worker(Pace(1_000))
    worker.predict(1.0, reviews=50)
    assert rate(worker.pace) > 1_000


def test_the_time_between_two_close_drains_counts_as_busy() -> None:
    worker = Worker(Pace())
    worker.predict(0.4, reviews=8)
    worker.now += GAP_SECONDS / 2
    worker.pace.resume(worker.now)  # without `idle`: the first drain ended by its time limit
    worker.predict(0.4, reviews=8)
    assert rate(worker.pace) == pytest.approx(16 * TOKENS / (0.8 + GAP_SECONDS / 2))


def test_a_long_pause_between_two_drains_does_not_count() -> None:
    worker = Worker(Pace())
    worker.predict(0.4, reviews=8)
    worker.now += 100
    worker.pace.resume(worker.now)
    worker.predict(0.5, reviews=8)
    assert rate(worker.pace) == pytest.approx(8 * TOKENS / 0.5)


@pytest.mark.parametrize("trouble", ["suspect", "broken"])
def test_reviews_that_are_claimed_or_fail_alone_do_not_change_the_pace(trouble: str) -> None:
    worker = Worker(Pace(50_000))
    for _ in range(100):
        worker.predict(0.6, **{trouble: True})
    assert rate(worker.pace) == 50_000


def test_after_trouble_a_new_span_begins() -> None:
    worker = Worker(Pace())
    worker.predict(0.4, suspect=True)
    worker.predict(0.5, reviews=8)
    assert rate(worker.pace) == pytest.approx(8 * TOKENS / 0.5)


def test_predictions_without_a_span_are_not_counted() -> None:
    pace = Pace()
    pace.predicted([ClaimedReview(uuid4(), uuid4(), "", 0, TOKENS)], [], 5.0)
    assert pace.tokens_per_second is None


def test_short_spans_raise_a_pace_that_is_too_low() -> None:
    worker = Worker(Pace(1_000))
    for _ in range(500):  # 10 s of work
        worker.predict(0.02)
        worker.rest(0.5)
    assert rate(worker.pace) == pytest.approx(TOKENS / 0.02, rel=0.05)


def test_short_spans_alone_are_no_pace() -> None:
    worker = Worker(Pace())
    for _ in range(500):
        worker.predict(0.02)
        worker.rest(0.5)
    assert worker.pace.tokens_per_second is None
