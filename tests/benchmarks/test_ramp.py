import pytest

from benchmarks.users.figures import LoadFigures, figures
from benchmarks.users.ramp import Ascent, RampLimits, RampStep, climb, highest, ratios, ratios_table, steps_table
from tests.benchmarks.user_visits import answered, failed, left

SLA = RampLimits(mean_ms=200, p95_ms=500)


def served(rate: float, capacity: float) -> LoadFigures:
    """Return the figures of a second of a service that is quick up to its capacity and slow beyond."""
    return figures([answered(0, 0.1 if rate <= capacity else 0.4) for _ in range(round(rate))], seconds=1)


def test_a_climb_goes_up_by_steps_and_then_halves() -> None:
    steps = climb(Ascent(60, 20, 5), SLA, lambda rate: served(rate, 107))
    assert [step.rate for step in steps] == [60, 80, 100, 120, 110, 105]
    best = highest(steps)
    assert best
    assert best.rate == 105
    assert "mean 400 ms" in steps_table(steps)[-1][-1]


def test_a_climb_that_begins_too_high_goes_down() -> None:
    best = highest(climb(Ascent(60, 20, 5), SLA, lambda rate: served(rate, 12)))
    assert best
    assert best.rate == 11.25
    assert highest(climb(Ascent(60, 20, 5), SLA, lambda rate: served(rate, 0))) is None


def test_a_step_that_held_above_one_that_failed_is_not_the_highest() -> None:
    lucky = [
        RampStep(60, served(60, 99), []),
        RampStep(80, served(80, 60), ["slow"]),
        RampStep(100, served(100, 200), []),
    ]
    best = highest(lucky)
    assert best
    assert best.rate == 60


@pytest.mark.parametrize(
    ("visits", "why"),
    [
        ([answered(0, 0.1)] * 99 + [failed(0)], ["1 failed"]),
        ([answered(0, 0.3)] * 100, ["mean 300 ms"]),
        ([answered(0, 0.1)] * 93 + [answered(0, 0.6)] * 7, ["p95 600 ms"]),
        ([answered(0, 0.1)] * 98 + [left(0)] * 2, ["2 of 100 visits refused"]),
        ([answered(0, 0.1)] * 90, ["only 90.0 reviews/s"]),
        ([answered(0, 0.1)] * 99 + [left(0)], []),
    ],
)
def test_the_limits_of_a_step(visits: list, why: list[str]) -> None:  # type: ignore[type-arg]
    assert SLA.broken(figures(visits, seconds=1), 100) == why


def test_the_ratio_holds_both_to_the_sla_and_the_other_to_its_own_limit() -> None:
    ready_made = RampLimits(float("inf"), 1000)
    theirs = climb(Ascent(10, 10, 5), ready_made, lambda rate: figures(
        [answered(0, 0.1 if rate <= 20 else 0.8 if rate <= 30 else 2)] * round(rate), seconds=1
    ))  # fmt: skip
    ours = climb(Ascent(60, 20, 5), SLA, lambda rate: served(rate, 120))
    found = ratios(ours, theirs, SLA)
    assert (found.theirs_within_sla, found.theirs, found.ours) == (20, 30, 120)
    assert (found.within_sla, found.whole) == (6, 4)
    assert ratios_table(found)[1][-1] == "6"
