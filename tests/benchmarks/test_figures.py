import math

import pytest

from benchmarks.common.spread import percentile
from benchmarks.users.figures import figures, latency, recovered_after, refusals, slices
from benchmarks.users.user_model import VisitKind
from tests.benchmarks.user_visits import answered, failed, left, refused


def test_percentiles_by_nearest_rank() -> None:
    assert [percentile(range(1, 101), share) for share in (0.5, 0.95, 0.99)] == [50, 95, 99]
    assert percentile([7.0], 0.99) == 7


def test_every_review_of_a_batch_has_the_time_of_its_visit() -> None:
    batch = answered(0, 0.4, kind=VisitKind.BATCH, rows=9, succeeded=9)
    found = latency([batch, answered(0, 0.1)])
    assert (found.reviews, found.mean, found.p50, found.longest) == (10, 370, 400, 400)


def test_figures_of_a_run() -> None:
    file = answered(1, 9, kind=VisitKind.FILE, lane="bulk", rows=100, succeeded=100)
    found = figures([answered(0, 0.1), file, failed(2), left(3)], seconds=10)
    assert (found.visits, found.answered, found.failed, found.left) == (4, 2, 1, 1)
    assert (found.reviews, found.reviews_per_second) == (101, 10.1)
    assert found.interactive.mean == 100  # without the bulk job
    assert set(found.by_kind) == {VisitKind.WAIT, VisitKind.FILE}
    mean, p95, share = found.promises()
    assert (mean.held, p95.held, share.held) == (True, True, False)
    assert share.figure == pytest.approx(1 / 3)  # a refused user that left does not count as failed


def test_without_answers_no_promise_is_held_or_broken() -> None:
    assert [each.held for each in figures([], seconds=1).promises()] == [None, None, None]


def test_waiting_times_of_refused_visits_are_compared_with_retry_after() -> None:
    found = refusals([refused(0, told=4, waited=4), refused(0, told=4, waited=12, refusals=3), left(1), answered(0, 1)])
    assert (found.visits, found.refusals, found.admitted) == (3, 5, 2)
    assert (found.told_seconds, found.waited_seconds, found.ratio, found.within_factor_2) == (4, 8, 2, 0.5)
    assert math.isnan(refusals([answered(0, 1)]).ratio)


def test_recovery_ends_with_the_last_refusal_or_the_last_slow_second() -> None:
    quick = [answered(100 + second, 0.1) for second in range(20)]
    assert recovered_after([*quick, left(50)], end=100) == 0
    assert recovered_after([*quick, left(103.5)], end=100) == 3.5
    assert recovered_after([*quick, answered(104.2, 0.9)], end=100) == 5
    assert recovered_after([*quick, answered(99.9, 5)], end=100) == 0  # submitted before the end


def test_slices_of_a_run() -> None:
    visits = [answered(0, 0.1), answered(9.5, 1), refused(5, told=3, waited=6), answered(29, 60)]
    first, second, third = slices(visits, seconds=30, width=10)
    assert (first.latency.reviews, first.reviews_per_second, first.refusals_per_second) == (2, 0.1, 0.1)
    assert (second.latency.reviews, second.reviews_per_second) == (1, 0.2)
    assert (third.latency.reviews, third.reviews_per_second) == (
        1,
        0.1,
    )  # a result after the end counts in the last slice
