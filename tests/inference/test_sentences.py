"""Which sentences of a long review the network reads."""

import numpy as np
from numpy.typing import NDArray

from inference.ngrams import NgramModel, buckets
from inference.sentences import LONGEST, Sentences

BEGIN, END, DOT, MARK = 1, 2, 3, 4
GOOD, DULL = 100, 7


def weights(order: int = 1) -> NgramModel:
    """Return n-grams with a weight for one word."""
    table: NDArray[np.int8] = np.zeros((1 << 12, 1), dtype=np.int8)
    table[buckets([GOOD], 1, 12)] = 100
    one = np.ones(1, dtype=np.float32)
    return NgramModel(table, scale=one, bias=0 * one, order=order)


SENTENCES = Sentences(weights(), frozenset({DOT, MARK}))
PLAIN = [DULL] * 9 + [DOT]
STRONG = [DULL] * 4 + [GOOD] + [DULL] * 4 + [DOT]


def test_a_short_review_is_read_whole() -> None:
    ids = [BEGIN, *PLAIN, END]
    assert SENTENCES.choose(ids, 12) == tuple(ids)


def test_the_sentence_with_the_sentiment_is_kept_at_any_place() -> None:
    for place in range(5):
        parts = [PLAIN] * 5
        parts[place] = STRONG
        ids = [BEGIN, *(token for part in parts for token in part), END]
        assert SENTENCES.choose(ids, 12) == (BEGIN, *STRONG, END)


def test_sentences_stay_in_their_order_and_within_the_limit() -> None:
    first, second = [5, *STRONG[1:]], [6, *STRONG[1:]]
    chosen = SENTENCES.choose([BEGIN, *first, *PLAIN, *second, *PLAIN, END], 25)
    assert chosen == (BEGIN, *first, *second, END)


def test_a_text_without_an_end_of_sentence_is_cut_into_pieces() -> None:
    ids = [BEGIN, *[DULL] * 500, GOOD, *[DULL] * 500, END]
    chosen = SENTENCES.choose(ids, 80)
    assert GOOD in chosen
    assert len(chosen) <= 80
    assert chosen[0] == BEGIN
    assert chosen[-1] == END


def test_marks_in_a_row_end_one_sentence() -> None:
    ids = [BEGIN, DULL, MARK, MARK, MARK, GOOD, DOT, *[DULL] * LONGEST, END]
    assert SENTENCES.choose(ids, 8) == (BEGIN, DULL, MARK, MARK, MARK, GOOD, DOT, END)


def test_a_word_takes_part_by_the_n_grams_that_hold_it() -> None:
    table: NDArray[np.int8] = np.zeros((1 << 12, 1), dtype=np.int8)
    (pair,) = set(buckets([8, 9], 2, 12)) - set(buckets([8], 1, 12)) - set(buckets([9], 1, 12))
    table[pair] = -50
    one = np.ones(1, dtype=np.float32)
    model = NgramModel(table, scale=one, bias=0 * one, order=2)
    assert model.weight_of_tokens([7, 8, 9, 7]).tolist() == [0, 25, 25, 0]
