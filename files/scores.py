"""Compute accuracy, precision, recall and F1 from a confusion matrix; jobs and training share this definition.

As in scikit-learn's `f1_score(average="macro", zero_division=0)`, a macro figure is the plain mean over the labels
that occur among the true or the predicted ones, and a figure with denominator 0 is 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelScore:
    """Precision, recall and F1 of one label; `support` counts the rows whose true label it is."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class MatrixScores:
    """The figures of `n` predictions; all but those of single labels are None if `n` is 0."""

    n: int
    accuracy: float | None
    macro_precision: float | None
    macro_recall: float | None
    macro_f1: float | None
    labels: list[LabelScore]


def score_matrix(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> MatrixScores:
    """Return the figures for a matrix of counts [true label, predicted label]."""
    found = [sum(column) for column in zip(*matrix, strict=True)]
    labels = [
        _label(name, row[place], found[place], sum(row))
        for place, (name, row) in enumerate(zip(names, matrix, strict=True))
    ]
    occurring = [each for place, each in enumerate(labels) if each.support or found[place]]
    n = sum(found)

    def mean(figure: Callable[[LabelScore], float]) -> float | None:
        return sum(map(figure, occurring)) / len(occurring) if occurring else None

    return MatrixScores(
        n=n,
        accuracy=sum(row[place] for place, row in enumerate(matrix)) / n if n else None,
        macro_precision=mean(lambda each: each.precision),
        macro_recall=mean(lambda each: each.recall),
        macro_f1=mean(lambda each: each.f1),
        labels=labels,
    )


def _label(name: str, hits: int, found: int, support: int) -> LabelScore:
    return LabelScore(
        name,
        precision=hits / found if found else 0.0,
        recall=hits / support if support else 0.0,
        f1=2 * hits / (found + support) if found + support else 0.0,
        support=support,
    )
