"""The features of the first stage: the buckets of a review's n-grams."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inference.ngrams import buckets

TOKENS = st.lists(st.integers(0, 30_521), max_size=80)


@given(TOKENS, st.integers(1, 3), st.integers(4, 22))
def test_buckets_are_distinct_and_within_the_table(ids: list[int], order: int, bits: int) -> None:
    found = buckets(ids, order, bits)
    assert (np.diff(found) > 0).all()
    assert ((found >= 0) & (found < 1 << bits)).all()


@given(TOKENS, st.integers(2, 3))
def test_a_longer_order_adds_buckets_and_takes_none(ids: list[int], order: int) -> None:
    assert set(buckets(ids, order - 1, 20)) <= set(buckets(ids, order, 20))


@given(TOKENS)
def test_a_review_twice_over_has_the_words_of_it_once(ids: list[int]) -> None:
    assert buckets(ids + ids, 1, 20).tolist() == buckets(ids, 1, 20).tolist()
