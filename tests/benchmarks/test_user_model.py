import itertools
import random
from collections import Counter

import pytest

from benchmarks.users.user_model import DECK, MIXES, Phase, Plan, VisitKind, dealt, phases_of, rows_per_visit

PLAN = Plan(100, "singles", [Phase(10, 60), Phase(50, 60)])


@pytest.mark.parametrize("mix", MIXES)
def test_the_shares_of_a_mix_add_up_and_hold_exactly_in_every_deck(mix: str) -> None:
    assert sum(MIXES[mix].values()) == pytest.approx(1)
    kinds = dealt(MIXES[mix], random.Random(0))
    for _ in range(2):
        deck = Counter(itertools.islice(kinds, DECK))
        assert deck == {kind: round(share * DECK) for kind, share in MIXES[mix].items()}


def test_reviews_of_a_visit() -> None:
    assert rows_per_visit(MIXES["singles"]) == 1
    assert rows_per_visit({VisitKind.WAIT: 0.5, VisitKind.FILE: 0.5}) == 50.5


def test_users_come_as_often_as_the_rate_of_the_phase_says() -> None:
    assert (PLAN.cycle(0), PLAN.cycle(59.9), PLAN.cycle(60), PLAN.cycle(500)) == (10, 10, 2, 2)
    assert PLAN.seconds == 120
    assert PLAN.starts == [0, 60]
    assert 0 <= PLAN.first(random.Random(0)) < 10


def test_a_visit_follows_within_half_and_one_and_a_half_cycles_but_not_before_now() -> None:
    draw = random.Random(0)
    gaps = [PLAN.following(10, 10, draw) - 10 for _ in range(1000)]
    assert 5 <= min(gaps) < 5.5
    assert 14.5 < max(gaps) <= 15
    assert sum(gaps) / 1000 == pytest.approx(10, abs=0.5)
    assert PLAN.following(10, 40, draw) == 40


def test_no_visit_skips_the_beginning_of_a_phase() -> None:
    draw = random.Random(0)
    assert all(60 <= PLAN.following(59, 59, draw) <= 62 for _ in range(100))
    assert any(PLAN.following(119, 119, draw) > 120 for _ in range(100))  # no phase follows the last


def test_a_user_busy_at_the_beginning_of_a_phase_continues_at_its_rate() -> None:
    draw = random.Random(0)
    after = [PLAN.following(10, 70, draw) - 70 for _ in range(1000)]
    assert 0 <= min(after) < 0.1
    assert 1.9 < max(after) <= 2


def test_phases_are_read() -> None:
    assert phases_of("60:600") == [Phase(60, 600)]
    assert phases_of("30:60,180:300,30:60")[1] == Phase(180, 300)


@pytest.mark.parametrize("text", ["", "60", "60:", "x:60", "0:60", "60:-1", "inf:60", "nan:60", "60:600,"])
def test_an_invalid_phase_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a phase"):
        phases_of(text)
