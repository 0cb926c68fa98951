"""Figures against values worked out by hand."""

import numpy as np
import pytest

from api.evaluation import evaluation_out
from training.export.calibrate import fit_temperature, negative_log_likelihood
from training.metrics import by_group, calibration_error, confusion_matrix, score

# Truth against verdict: three of four negatives and one of two positives are judged right.
TRUTH = np.array([0, 0, 0, 0, 1, 1])
ROWS = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.6, 0.4]])


def test_confusion_counts_truth_by_verdict() -> None:
    assert confusion_matrix(TRUTH, ROWS.argmax(axis=1), 2).tolist() == [[3, 1], [1, 1]]


def test_scores_equal_the_values_worked_out_by_hand() -> None:
    scores = score(TRUTH, ROWS, ["negative", "positive"])
    assert (scores.n, scores.confusion) == (6, [[3, 1], [1, 1]])
    assert scores.accuracy == pytest.approx(4 / 6)
    negative, positive = scores.labels
    assert (negative.precision, negative.recall, negative.f1, negative.support) == (0.75, 0.75, 0.75, 4)
    assert (positive.precision, positive.recall, positive.f1, positive.support) == (0.5, 0.5, 0.5, 2)
    assert (scores.macro_precision, scores.macro_recall, scores.macro_f1) == (0.625, 0.625, 0.625)


def test_a_label_that_is_never_judged_scores_zero() -> None:
    scores = score(np.array([0, 1]), np.array([[0.9, 0.1], [0.9, 0.1]]), ["negative", "positive"])
    assert [row.f1 for row in scores.labels] == [pytest.approx(2 / 3), 0.0]


def test_a_label_that_occurs_nowhere_is_no_part_of_macro_figures_as_in_a_jobs_evaluation() -> None:
    scores = score(np.array([1, 1]), np.array([[0.1, 0.9, 0.0], [0.2, 0.8, 0.0]]), ["negative", "positive", "mixed"])
    assert (scores.macro_f1, scores.macro_precision, scores.macro_recall) == (1, 1, 1)
    counts = {
        "labelled": 2,
        "unknown_labels": 0,
        "labels": ["negative", "positive", "mixed"],
        "matrix": scores.confusion,
    }
    assert evaluation_out(counts).macro_f1 == scores.macro_f1


def test_each_group_has_figures_of_its_own() -> None:
    truth = np.array([0, 1, 1, 0])
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    first, second = by_group(["b", "a", "b", "a"], truth, probabilities, ["bad", "good"])
    assert (first.group, first.n, first.accuracy, first.recalls) == ("a", 2, 1.0, {"bad": 1.0, "good": 1.0})
    assert (second.group, second.n, second.accuracy, second.recalls) == ("b", 2, 0.5, {"bad": 1.0, "good": 0.0})


def test_calibration_error_is_the_weighted_gap_of_its_bins() -> None:
    # Ten bins: 0.95 and 0.92 share one (both right: gap 0.065), 0.55 has its own (wrong: gap 0.55).
    confidence, correct = np.array([0.95, 0.92, 0.55]), np.array([True, True, False])
    assert calibration_error(confidence, correct, bins=10) == pytest.approx((2 * 0.065 + 0.55) / 3)


def test_a_perfect_and_certain_model_has_no_calibration_error() -> None:
    assert calibration_error(np.ones(5), np.ones(5, dtype=bool)) == 0.0


def test_the_fitted_temperature_recovers_the_one_the_logits_were_made_with() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(size=(20_000, 3)) * 2
    chosen = np.array([generator.choice(3, p=np.exp(row) / np.exp(row).sum()) for row in true])
    logits = (true * 3).astype(np.float32)
    assert fit_temperature(logits, chosen) == pytest.approx(3, rel=0.05)


def test_the_fitted_temperature_beats_its_neighbours() -> None:
    logits, truth = np.log(ROWS).astype(np.float32), TRUTH
    best = fit_temperature(logits, truth)
    losses = [negative_log_likelihood(logits, truth, best * factor) for factor in (0.8, 1.0, 1.25)]
    assert min(losses) == losses[1]
