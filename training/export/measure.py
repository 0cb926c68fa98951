"""Measure an exported model on labelled reviews with the serving classifier, on the file that is shipped."""

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference import onnx
from inference.batching import micro_batches
from inference.classifier import Classifier, ModelInfo, softmax
from inference.figures import LabelFigures, Metrics, StageFigures
from inference.onnx import OnnxClassifier
from inference.tokenizer import ReviewTokenizer
from training.data.reviews import Reviews, sample
from training.evaluate import classify, forward, probabilities
from training.export.batch_mates import BatchMates, measure_batch_mates
from training.export.calibrate import fit_temperature
from training.export.fit_cascade import FOLDS, StageAnswers
from training.export.source import HeldOut
from training.metrics import by_stage, score

# Reviews on which the effect of other reviews in the batch is measured.
BATCH_MATES_SAMPLE = 500


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """The load options of the classifier, the tokens of a micro-batch and the seed of samples."""

    tokeniser: ReviewTokenizer
    pad_id: int
    threads: int
    token_budget: int
    seed: int


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The network alone on the validation reviews: `info` has its temperature, `logits` are divided by it.

    `tokens` [reviews] counts the tokens of whole reviews.
    """

    info: ModelInfo
    logits: NDArray[np.float32]
    tokens: NDArray[np.int64]
    metrics: Metrics


def calibrated(folder: Path, info: ModelInfo, part: HeldOut, options: MeasureOptions) -> Calibrated:
    """Fit the temperature on the validation reviews, and measure the network with it."""
    classifier = load_network(folder, info, options)
    began = time.perf_counter()
    encoded = classifier.tokenise(part.reviews.texts)
    logits = forward(classifier, encoded, micro_batches(encoded, options.token_budget))
    speed = _speed(part, began)
    fitted = replace(info, temperature=fit_temperature(logits, np.asarray(part.reviews.labels)))
    metrics = _metrics(fitted, part, options, softmax(logits, fitted.temperature))
    return Calibrated(
        info=fitted,
        logits=logits / np.float32(fitted.temperature),
        tokens=np.array([review.tokens for review in encoded]),
        metrics=metrics.model_copy(update={"reviews_per_second": speed}),
    )


def load_network(folder: Path, info: ModelInfo, options: MeasureOptions) -> OnnxClassifier:
    """Return the network in `folder`, without n-grams."""
    return onnx.load(folder, info, options.tokeniser, pad_id=options.pad_id, threads=options.threads)


def evaluation(classifier: Classifier, part: HeldOut, options: MeasureOptions, point: str | None = None) -> Metrics:
    """Return the metrics of a classifier on one data set; `point` is recorded."""
    began = time.perf_counter()
    answers = classify(classifier, part.reviews.texts, options.token_budget)
    speed = _speed(part, began)
    rows = probabilities(answers)
    stages = by_stage([answer.stage for answer in answers], rows.argmax(axis=1) == np.asarray(part.reviews.labels))
    return _metrics(classifier.info, part, options, rows).model_copy(
        update={"point": point, "reviews_per_second": speed, "stages": _stages(stages)}
    )


def cross_fitted_metrics(
    info: ModelInfo, part: HeldOut, options: MeasureOptions, answers: StageAnswers, point: str
) -> Metrics:
    """Return the metrics of cross-fitted answers at an operating point; they have no speed."""
    stages = answers.stages(np.asarray(part.reviews.labels), info.stage)
    return _metrics(info, part, options, answers.rows).model_copy(
        update={"point": point, "stages": _stages(stages), "cross_fitted": FOLDS}
    )


def _metrics(info: ModelInfo, part: HeldOut, options: MeasureOptions, rows: NDArray[np.float64]) -> Metrics:
    scores = score(np.asarray(part.reviews.labels), rows, list(info.labels))
    return Metrics(
        dataset=part.dataset,
        split=part.split,
        date=datetime.now(UTC).date().isoformat(),
        precision=info.precision,
        threads=options.threads,
        n=scores.n,
        accuracy=scores.accuracy,
        macro_precision=scores.macro_precision,
        macro_recall=scores.macro_recall,
        macro_f1=scores.macro_f1,
        ece=scores.ece,
        labels=[LabelFigures(**asdict(label)) for label in scores.labels],
        confusion=scores.confusion,
    )


def _stages(stages: dict[str, dict[str, float]]) -> dict[str, StageFigures]:
    return {name: StageFigures(**figures) for name, figures in stages.items()}


def _speed(part: HeldOut, began: float) -> float:
    return round(len(part.reviews) / (time.perf_counter() - began), 1)


def batch_mates(classifier: Classifier, validation: Reviews, options: MeasureOptions) -> BatchMates:
    """Return the effect of other reviews in the batch, over a sample of the validation reviews."""
    encoded = classifier.tokenise(sample(validation, BATCH_MATES_SAMPLE, options.seed).texts)
    return measure_batch_mates(classifier, encoded, options.token_budget, options.seed)
