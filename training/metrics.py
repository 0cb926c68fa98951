"""Accuracy, precision, recall, F1 and calibration from probabilities and true labels; needs numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from files.scores import LabelScore, score_matrix

Matrix = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scores:
    """All figures of one evaluation; `files.scores` defines them."""

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
    confusion = confusion_matrix(truth, predicted, len(names)).tolist()
    figures = score_matrix(confusion, names)
    return Scores(
        n=figures.n,
        accuracy=figures.accuracy or 0.0,
        macro_precision=figures.macro_precision or 0.0,
        macro_recall=figures.macro_recall or 0.0,
        macro_f1=figures.macro_f1 or 0.0,
        ece=calibration_error(probabilities.max(axis=1), predicted == truth),
        labels=figures.labels,
        confusion=confusion,
    )


@dataclass(frozen=True, slots=True)
class GroupScore:
    """The figures of one group of reviews; `recalls` are by label, 0 for a label that the group lacks."""

    group: str
    n: int
    accuracy: float
    recalls: dict[str, float]
    ece: float


def by_group(
    groups: Sequence[str], truth: NDArray[np.int64], probabilities: NDArray[np.float64], names: list[str]
) -> list[GroupScore]:
    """Return the figures of each group of reviews, in the order of their names."""
    found = []
    for group in sorted(set(groups)):
        own = np.array([each == group for each in groups])
        scores = score(truth[own], probabilities[own], names)
        recalls = {label.label: label.recall for label in scores.labels}
        found.append(GroupScore(group, scores.n, scores.accuracy, recalls, scores.ece))
    return found


def by_stage(stages: Sequence[str], right: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Return for each stage the share of the reviews that it classified, and its accuracy on them."""
    chosen = {stage: np.array([each == stage for each in stages]) for stage in sorted(set(stages))}
    return {stage: {"share": float(own.mean()), "accuracy": float(right[own].mean())} for stage, own in chosen.items()}
