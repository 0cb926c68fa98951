"""Join the n-grams with the network, and choose the confidence from which they classify a review alone; numpy only.

All logits are calibrated, [reviews, labels], of the validation split. Weights and thresholds are fitted on that split,
so reported figures are cross-fitted: each fold is classified with weights and thresholds fitted on the other folds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.cascade import join, settled_alone
from inference.classifier import FIRST_STAGE, softmax
from inference.stages import FULL, Cascade, Stack
from training.metrics import by_stage

Logits = NDArray[np.float32]
Truth = NDArray[np.int64]
Lengths = NDArray[np.int64]

NGRAMS = "ngrams.npz"
DEFAULT_POINT = "balanced"
# Share of all reviews that the cascade is expected to misclassify and both stages together would not.
LOSSES = {"fast": 0.01, "balanced": 0.002}
# Share of the reviews settled by the first stage that it may misclassify at the point `accurate`.
ERRORS = 0.01
FOLDS = 5
NEVER = 1.01  # a confidence that no review reaches
PRIOR = 1.0  # weight of every prior, in reviews
# Both stages make other errors on a sentence than on a page, so each range of lengths in tokens has its own weights.
LENGTHS = (16, 32, 64, 160)
BAND_PRIOR = 20.0


@dataclass(frozen=True, slots=True)
class StageAnswers:
    """Probabilities [reviews, labels] at one operating point, and which reviews the first stage settled."""

    rows: NDArray[np.float64]
    settled: NDArray[np.bool_]

    def stages(self, truth: Truth, second: str) -> dict[str, dict[str, float]]:
        """Return share and accuracy of each stage."""
        names = np.where(self.settled, FIRST_STAGE, second)
        return by_stage(names.tolist(), self.rows.argmax(axis=1) == truth)


def fit_cascade(network: Logits, ngram: Logits, truth: Truth, tokens: Lengths, settle_from: int = 0) -> Cascade:
    """Return the stacks of both stages for each length, and the operating points.

    The n-grams never classify reviews shorter than `settle_from` tokens alone; the points are chosen on the others.
    """
    joined = np.empty_like(network)
    for fold, others in _folds(len(truth)):
        stacks = fit_stacks(network[others], ngram[others], truth[others], tokens[others])
        joined[fold] = join(stacks, network[fold], ngram[fold], tokens[fold].tolist())
    long = tokens >= settle_from
    if not long.any():
        long[:] = True
    points = choose_points(ngram[long], joined[long], truth[long])
    whole = fit_stacks(network, ngram, truth, tokens)
    return whole.model_copy(update={"points": points, "default": DEFAULT_POINT, "settle_from": settle_from})


def _folds(count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the indices of each fold and those of all other reviews; the folds are the same each time."""
    for fold in np.array_split(np.random.default_rng(0).permutation(count), min(FOLDS, count)):
        yield fold, np.setdiff1d(np.arange(count), fold)


def fit_stacks(network: Logits, ngram: Logits, truth: Truth, tokens: Lengths) -> Cascade:
    """Return a stack for each range of lengths, without points; with few reviews it stays near the overall stack."""
    labels = network.shape[1]
    overall = _fit_stack(network, ngram, truth, np.array([0.5, 0.5] + [0.0] * labels), PRIOR)
    which = np.searchsorted(LENGTHS, tokens)
    stacks = []
    for band in range(len(LENGTHS) + 1):
        own = which == band
        stacks.append(_stack(_fit_stack(network[own], ngram[own], truth[own], overall, BAND_PRIOR)))
    return Cascade(ngrams=NGRAMS, lengths=list(LENGTHS), stacks=stacks, points={}, default=FULL)


def _stack(theta: NDArray[np.float64]) -> Stack:
    first, second, *bias = (round(float(value), 4) for value in theta)
    return Stack(network_weight=first, ngram_weight=second, bias=bias)


def _fit_stack(
    network: Logits, ngram: Logits, truth: Truth, prior: NDArray[np.float64], weight: float
) -> NDArray[np.float64]:
    """Return the parameters of least cross entropy: weight of the network, weight of the n-grams, a bias a label.

    Stacked generalisation (Wolpert 1992); a prior keeps the weights finite where the reviews are separable.
    """
    labels = network.shape[1]
    each_label = np.broadcast_to(np.eye(labels), (len(network), labels, labels))
    design = np.concatenate([network[..., None], ngram[..., None], each_label], axis=2, dtype=np.float64)
    return regression(design, truth, prior, weight)


def regression(
    design: NDArray[np.float64], truth: Truth, prior: NDArray[np.float64], weight: float = PRIOR
) -> NDArray[np.float64]:
    """Return the weights of a logistic regression by Newton's method; `design` is [reviews, labels, weights].

    The prior has the weight of `weight` reviews.
    """
    theta = prior
    for _ in range(50):
        change = _newton(design, theta, truth, prior, weight)
        # A whole step may overshoot where all probabilities are near 0 or 1.
        now = _objective(design, theta, truth, prior, weight)
        while _objective(design, theta + change, truth, prior, weight) > now:
            change /= 2
        theta = theta + change
        if np.abs(change).max() < 1e-6:
            break
    return theta


def _objective(
    design: NDArray[np.float64], theta: NDArray[np.float64], truth: Truth, prior: NDArray[np.float64], weight: float
) -> float:
    chosen = softmax(design @ theta)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chosen, 1e-300)).sum() + weight / 2 * (theta - prior) @ (theta - prior))


def _newton(
    design: NDArray[np.float64], theta: NDArray[np.float64], truth: Truth, prior: NDArray[np.float64], weight: float
) -> NDArray[np.float64]:
    """Return the Newton step: to the minimum of the quadratic approximation."""
    probabilities = softmax(design @ theta)
    errors = probabilities - np.eye(design.shape[1])[truth]
    gradient = np.einsum("nlp,nl->p", design, errors) + weight * (theta - prior)
    mean = np.einsum("nlp,nl->np", design, probabilities)
    spread = np.einsum("nlp,nlq->pq", design * probabilities[..., None], design) - mean.T @ mean
    return np.asarray(-np.linalg.solve(spread + weight * np.eye(len(theta)), gradient))


def choose_points(ngram: Logits, joined: Logits, truth: Truth) -> dict[str, float]:
    """Return the lowest confidences of the first stage that stay within `LOSSES` and `ERRORS`, by operating point.

    The loss is an expectation: the accuracy of either stage is first smoothed over the confidence. Without smoothing
    the lowest threshold is a lucky one: chosen on half of 1,525 reviews for no loss, it lost 0.3 points on the other
    half.
    """
    confidence = softmax(ngram).max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = ngram.argmax(axis=1) == truth
    worse = (_smooth(confidence, joined.argmax(axis=1) == truth) - _smooth(confidence, right))[order]
    surest, loss = confidence[order], worse.cumsum() / len(truth)
    points = {name: _lowest(surest, loss <= share) for name, share in LOSSES.items()}
    # One error among the surest hundred is no evidence.
    sure = (~right[order]).cumsum() <= np.maximum(1, ERRORS * np.arange(1, len(truth) + 1))
    return points | {"accurate": max(_lowest(surest, sure), points[DEFAULT_POINT])}


def _smooth(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the expected accuracy at each confidence: logistic regression on its log odds (Platt 1999)."""
    chance = np.clip(confidence, 1e-6, 1 - 1e-6)
    design = np.zeros((len(chance), 2, 2))
    design[:, 1] = np.stack([np.log(chance / (1 - chance)), np.ones(len(chance))], axis=1)
    # The prior is a calibrated confidence, which equals the accuracy.
    theta = regression(design, right.astype(np.int64), prior=np.array([1.0, 0.0]))
    return softmax(design @ theta)[:, 1]


def _lowest(surest: NDArray[np.float64], fit: NDArray[np.bool_]) -> float:
    """Return the last of the descending confidences before the first unfit one."""
    count = len(fit) if fit.all() else int(fit.argmin())
    return float(surest[count - 1]) if count else NEVER


def cross_fitted(
    network: Logits, ngram: Logits, truth: Truth, tokens: Lengths, settle_from: int = 0
) -> dict[str, StageAnswers]:
    """Return the answers at each point and at `full`; each fold by weights and thresholds of the other folds."""
    points = (*LOSSES, "accurate", FULL)
    whole = {point: StageAnswers(np.empty(network.shape), np.empty(len(truth), dtype=bool)) for point in points}
    for fold, others in _folds(len(truth)):
        fitted = fit_cascade(network[others], ngram[others], truth[others], tokens[others], settle_from)
        for point, answers in whole.items():
            found = answer(fitted, network[fold], ngram[fold], tokens[fold], point)
            answers.rows[fold], answers.settled[fold] = found.rows, found.settled
    return whole


def answer(cascade: Cascade, network: Logits, ngram: Logits, tokens: Lengths, point: str) -> StageAnswers:
    """Return the answers of a cascade at a point, the same as `inference.cascade` gives for each review."""
    lengths = tokens.tolist()
    settled = settled_alone(cascade, ngram, lengths, cascade.threshold(point))
    joined = join(cascade, network, ngram, lengths)
    return StageAnswers(softmax(np.where(settled[:, None], ngram, joined)), settled)
