"""How two stages are joined, and the confidence from which the first one classifies alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cascade import join
from inference.classifier import softmax
from inference.stages import FULL
from training.export.fit_cascade import (
    LENGTHS,
    LOSSES,
    NEVER,
    answer,
    choose_points,
    cross_fitted,
    fit_cascade,
    fit_stacks,
)

COUNT = 2_000
# Longer than the last of LENGTHS: all reviews are of one length, and its stack is that of all.
LONG = LENGTHS[-1] + 1
Drawn = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def drawn(network: float, ngram: float, labels: int = 2, count: int = COUNT) -> Drawn:
    """Logits of two stages that see the truth with independent noise, the more of it the better, and the truth."""
    source = np.random.default_rng(7)
    truth = source.integers(0, labels, count)
    seen = [
        sight * np.eye(labels)[truth] + np.sqrt(sight) * source.standard_normal((count, labels))
        for sight in (network, ngram)
    ]
    return seen[0].astype(np.float32), seen[1].astype(np.float32), truth


def long(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.full(len(truth), LONG)


def loss(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    return float(-np.log(softmax(logits)[np.arange(len(truth)), truth]).mean())


@pytest.mark.parametrize("labels", [2, 4])
def test_calibrated_stages_that_err_apart_both_count_in_full(labels: int) -> None:
    network, ngram, truth = drawn(4, 2, labels)
    cascade = fit_stacks(network, ngram, truth, long(truth))
    stack = cascade.stacks[-1]
    assert (stack.network_weight, stack.ngram_weight) == pytest.approx((1, 1), abs=0.1)
    assert len(stack.bias) == labels
    assert loss(join(cascade, network, ngram, long(truth).tolist()), truth) < min(
        loss(network, truth), loss(ngram, truth)
    )


def test_a_stage_that_knows_nothing_counts_nothing() -> None:
    network, ngram, truth = drawn(4, 2)
    shuffled = ngram[np.random.default_rng(1).permutation(COUNT)]
    stack = fit_stacks(network, shuffled, truth, long(truth)).stacks[-1]
    assert stack.ngram_weight == pytest.approx(0, abs=0.1)


def test_a_bias_towards_a_label_is_taken_back() -> None:
    network, ngram, truth = drawn(4, 2)
    leaning = network + np.array([3, 0], dtype=np.float32)
    stack = fit_stacks(leaning, ngram, truth, long(truth)).stacks[-1]
    assert stack.bias[1] - stack.bias[0] == pytest.approx(3, abs=0.4)


def test_weights_stay_finite_where_all_reviews_are_told_apart() -> None:
    truth = np.arange(40) % 2
    certain = (30 * np.eye(2)[truth]).astype(np.float32)
    stack = fit_stacks(certain, certain, truth, long(truth)).stacks[-1]
    assert np.isfinite([stack.network_weight, stack.ngram_weight, *stack.bias]).all()


def test_reviews_of_each_length_are_weighed_by_what_is_right_for_them() -> None:
    network, ngram, truth = drawn(4, 2)
    short = np.arange(COUNT) % 2 == 0
    guessing = np.where(short[:, None], ngram[np.random.default_rng(1).permutation(COUNT)], ngram)
    stacks = fit_stacks(network, guessing, truth, np.where(short, 5, LONG)).stacks
    assert stacks[0].ngram_weight == pytest.approx(0, abs=0.15)
    assert stacks[-1].ngram_weight == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("labels", [2, 3])
def test_points_keep_what_they_promise(labels: int) -> None:
    network, ngram, truth = drawn(8, 5, labels)
    cascade = fit_cascade(network, ngram, truth, long(truth))
    assert cascade.points["accurate"] >= cascade.points["balanced"] >= cascade.points["fast"]
    assert cascade.default == "balanced"
    right = {
        point: answer(cascade, network, ngram, long(truth), point).rows.argmax(axis=1) == truth
        for point in cascade.points
    }
    full = answer(cascade, network, ngram, long(truth), FULL)
    assert not full.settled.any()
    for point, share in LOSSES.items():
        # The expected loss; the actual one deviates by the root of the number of reviews classified differently.
        assert right[point].mean() >= (full.rows.argmax(axis=1) == truth).mean() - share - 0.002
    settled = answer(cascade, network, ngram, long(truth), "accurate").settled
    assert settled.mean() > 0.1
    assert right["accurate"][settled].mean() >= 0.99


def test_a_first_stage_that_guesses_settles_nothing() -> None:
    _, ngram, truth = drawn(4, 4)
    guesses = np.abs(ngram[np.random.default_rng(1).permutation(COUNT)])
    points = choose_points(guesses, np.eye(2, dtype=np.float32)[truth], truth)
    assert points["balanced"] > np.quantile(softmax(guesses).max(axis=1), 0.99)


def test_a_first_stage_whose_surest_answers_are_wrong_settles_nothing() -> None:
    truth = np.arange(100) % 2
    wrong = np.eye(2, dtype=np.float32)[1 - truth]
    points = choose_points(wrong, np.eye(2, dtype=np.float32)[truth], truth)
    assert points["balanced"] == NEVER


def test_a_first_stage_that_never_errs_settles_all() -> None:
    truth = np.arange(100) % 2
    right = np.eye(2, dtype=np.float32)[truth]
    points = choose_points(right, right, truth)
    assert max(points.values()) <= softmax(right).max(axis=1).min()


def test_cross_fitted_figures_are_of_reviews_that_were_not_fitted_on() -> None:
    network, ngram, truth = drawn(0.01, 0.01, labels=10, count=60)
    seen = answer(fit_cascade(network, ngram, truth, long(truth)), network, ngram, long(truth), FULL).rows
    unseen = cross_fitted(network, ngram, truth, long(truth))[FULL].rows
    assert unseen.sum(axis=1) == pytest.approx(np.ones(60))
    assert loss(np.log(unseen).astype(np.float32), truth) > loss(np.log(seen).astype(np.float32), truth)


def test_stages_have_their_share_and_accuracy() -> None:
    network, ngram, truth = drawn(8, 5)
    answers = cross_fitted(network, ngram, truth, long(truth))
    assert set(answers) == {"fast", "balanced", "accurate", "full"}
    assert set(answers["full"].stages(truth, "transformer")) == {"transformer"}
    stages = answers["balanced"].stages(truth, "transformer")
    assert stages["ngram"]["share"] + stages["transformer"]["share"] == pytest.approx(1)
    right = sum(stage["share"] * stage["accuracy"] for stage in stages.values())
    assert right == pytest.approx((answers["balanced"].rows.argmax(axis=1) == truth).mean())
