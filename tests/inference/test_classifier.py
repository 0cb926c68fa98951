"""The parts every classifier shares: cleaning, truncation, micro-batches and calibrated predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batching import micro_batches
from inference.classifier import Encoded, ModelInfo, NonFiniteLogitsError, pad, predictions, softmax
from inference.cleaning import clean
from inference.tokenizer import head_tail

INFO = ModelInfo("m", "1", "int8", ("negative", "positive"), 160, "onnx", "transformer", temperature=2.0)


def review(length: int) -> Encoded:
    return Encoded(tuple(range(length)), tokens=length, truncated=False)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("good<br /><br />bad", "good bad"),
        ("<BR>a<br/>b", "a b"),
        ("<p class='x'>fine</p>", "fine"),
        ("Tom &amp; Jerry &quot;hi&quot;", 'Tom & Jerry "hi"'),
        ("one&lt;br /&gt;two", "one two"),
        ("i <3 it, 5 < 6 > 4", "i <3 it, 5 < 6 > 4"),
        ("<brilliant> and <spoiler>", "<brilliant> and <spoiler>"),
        (" a\r\n\tb\u00a0c ", "a b c"),
        ("<br <br", "<br <br"),
        ("", ""),
    ],
)
def test_clean_removes_markup_and_keeps_the_writers_own_signs(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(st.text())
def test_clean_leaves_single_spaces_only(text: str) -> None:
    assert clean(text) == " ".join(clean(text).split())


@given(st.lists(st.integers(), max_size=50), st.integers(2, 60))
def test_head_tail_keeps_both_ends_and_never_more_than_the_limit(ids: list[int], limit: int) -> None:
    kept = head_tail(ids, limit)
    tail = limit // 2
    if len(ids) <= limit:
        assert kept == tuple(ids)
    else:
        assert kept == (*ids[: limit - tail], *ids[-tail:])
        assert len(kept) == limit


@given(st.lists(st.integers(1, 200), max_size=60), st.integers(1, 1000))
def test_micro_batches_hold_each_review_once_and_keep_the_budget(lengths: list[int], budget: int) -> None:
    encoded = [review(length) for length in lengths]
    groups = micro_batches(encoded, budget)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or max(lengths[index] for index in group) * len(group) <= budget


@given(st.lists(st.integers(1, 200), max_size=60), st.integers(1, 1000))
def test_micro_batches_group_reviews_of_like_length(lengths: list[int], budget: int) -> None:
    groups = micro_batches([review(length) for length in lengths], budget)
    order = [lengths[index] for group in groups for index in group]
    assert order == sorted(order)


def test_pad_masks_what_is_not_the_review() -> None:
    ids, mask = pad([review(1), review(3)], pad_id=9)
    assert ids.tolist() == [[0, 9, 9], [0, 1, 2]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]]


def test_predictions_are_calibrated_and_ordered_like_the_labels() -> None:
    logits = np.array([[0.0, 2 * np.log(3.0)]], dtype=np.float32)
    (answer,) = predictions([Encoded((1,), tokens=400, truncated=True)], logits, INFO)
    assert answer.sentiment == "positive"
    assert answer.confidence == pytest.approx(0.75)
    assert list(answer.probabilities) == ["negative", "positive"]
    assert answer.probabilities["negative"] == pytest.approx(0.25)
    assert (answer.tokens, answer.truncated, answer.stage) == (400, True, "transformer")


def test_a_value_that_is_no_number_names_its_review() -> None:
    logits = np.array([[0, 1], [0, np.nan], [np.inf, 0]], dtype=np.float32)
    with pytest.raises(NonFiniteLogitsError) as caught:
        predictions([review(1)] * 3, logits, INFO)
    assert caught.value.index == 1


def test_too_few_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="2 reviews"):
        predictions([review(1)] * 2, np.zeros((1, 2), dtype=np.float32), INFO)


def test_softmax_bears_large_logits() -> None:
    assert softmax(np.array([[1e4, 0.0]], dtype=np.float32)).tolist() == [[1.0, 0.0]]
