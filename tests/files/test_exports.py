"""Generated exports with known contents: none is read wrongly without a word."""

import random
import re
from collections import Counter

import pytest

from tests.files.drawn import draw_export
from tests.files.exports import outcome_of

SEEDS = range(300)


@pytest.mark.parametrize("part", range(3))
def test_no_generated_export_is_read_wrongly(part: int) -> None:
    found = {seed: draw_export(random.Random(seed)) for seed in SEEDS[part::3]}
    outcomes = {seed: outcome_of(export) for seed, export in found.items()}
    assert {seed: outcome for seed, outcome in outcomes.items() if outcome.startswith("WRONG")} == {}
    # Undamaged files in an encoding that is recognised are read to their last row.
    damaged = re.compile(" (raw|careless|escaped|extra|mac_roman|cp1251) ")
    counted = Counter(outcome for seed, outcome in outcomes.items() if not damaged.search(found[seed].shape))
    assert counted["read"] >= 0.9 * counted.total()
