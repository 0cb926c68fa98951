"""How good a classifier is, from its probabilities and the true labels; numpy only.

Called by `training.train` at each checkpoint and by `training.evaluate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelScore:
    """Precision, recall and F1 of one label; `support` is how many reviews truly bear it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Every figure of one evaluation; macro figures are plain means over the labels."""

    n: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    ece: float
    labels: list[LabelScore]
    confusion: list[list[int]]


def confusion_matrix(truth: NDArray[np.int64], predicted: NDArray[np.int64], labels: int) -> Matrix:
    """Return counts [true label, predicted label]."""
    matrix = np.zeros((labels, labels), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_], bins: int = 15) -> float:
    """Return the expected calibration error: the mean gap of confidence and accuracy over equal-width bins.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3; bins are open below and closed above.
    """
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = 0.0
    for index in np.unique(which):
        inside = which == index
        gap += float(inside.mean()) * abs(float(correct[inside].mean()) - float(confidence[inside].mean()))
    return gap


def score(truth: NDArray[np.int64], probabilities: NDArray[np.float64], names: list[str]) -> Scores:
    """Return all figures for true labels [n] and probabilities [n, labels]."""
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(truth, predicted, len(names))
    rows = [_label_score(matrix, index, name) for index, name in enumerate(names)]
    correct = predicted == truth
    return Scores(
        n=len(truth),
        accuracy=float(correct.mean()),
        macro_precision=float(np.mean([row.precision for row in rows])),
        macro_recall=float(np.mean([row.recall for row in rows])),
        macro_f1=float(np.mean([row.f1 for row in rows])),
        ece=calibration_error(probabilities.max(axis=1), correct),
        labels=rows,
        confusion=matrix.tolist(),
    )


def by_stage(stages: Sequence[str], right: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Return of each stage the share of the reviews that it answered, and its accuracy on them."""
    chosen = {stage: np.array([each == stage for each in stages]) for stage in sorted(set(stages))}
    return {stage: {"share": float(own.mean()), "accuracy": float(right[own].mean())} for stage, own in chosen.items()}


def _label_score(matrix: Matrix, index: int, name: str) -> LabelScore:
    hit, predicted, support = int(matrix[index, index]), int(matrix[:, index].sum()), int(matrix[index].sum())
    precision = hit / predicted if predicted else 0.0
    recall = hit / support if support else 0.0
    total = precision + recall
    return LabelScore(name, precision, recall, 2 * precision * recall / total if total else 0.0, support)
