"""Accuracy and F1 against figures computed by hand."""

import pytest

from api.evaluation import evaluation_out


def counts(*matrix: list[int]) -> dict[str, object]:
    labels = ["negative", "positive", "mixed"][: len(matrix)]
    return {"labelled": 12, "unknown_labels": 2, "labels": labels, "matrix": list(matrix)}


def test_the_figures_of_two_labels() -> None:
    figures = evaluation_out(counts([4, 1], [2, 3]))
    assert (figures.labelled, figures.unknown_labels) == (12, 2)
    assert figures.accuracy == pytest.approx(7 / 10)
    negative, positive = figures.per_label["negative"], figures.per_label["positive"]
    assert (negative.precision, negative.recall, negative.f1) == pytest.approx((4 / 6, 4 / 5, 8 / 11))
    assert (positive.precision, positive.recall, positive.f1) == pytest.approx((3 / 4, 3 / 5, 2 / 3))
    assert figures.macro_f1 == pytest.approx((8 / 11 + 2 / 3) / 2)
    assert figures.confusion_matrix == [[4, 1], [2, 3]]


def test_the_figures_of_three_labels() -> None:
    figures = evaluation_out(counts([2, 0, 1], [0, 3, 0], [1, 1, 2]))
    assert figures.accuracy == pytest.approx(7 / 10)
    assert figures.macro_f1 == pytest.approx((4 / 6 + 6 / 7 + 4 / 7) / 3)


def test_a_label_that_never_occurs_is_no_part_of_macro_f1() -> None:
    figures = evaluation_out(counts([0, 0], [0, 5]))
    assert (figures.accuracy, figures.macro_f1) == (1, 1)
    assert figures.per_label["negative"].model_dump() == {"precision": 0, "recall": 0, "f1": 0}


def test_a_label_that_is_only_predicted_counts_as_zero() -> None:
    assert evaluation_out(counts([0, 0], [2, 2])).macro_f1 == pytest.approx((0 + 2 / 3) / 2)


def test_without_predictions_there_are_no_figures() -> None:
    figures = evaluation_out(counts([0, 0], [0, 0]))
    assert (figures.accuracy, figures.macro_f1, figures.labelled) == (None, None, 12)
