"""Every figure of an exported model, taken through the serving classifier on the file that is shipped.

Called by `training.export.export_model`; calls `training.export.calibrate`, `training.export.batch_mates` and
`training.metrics`.
"""

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference import onnx
from inference.batching import micro_batches
from inference.classifier import Classifier, ModelInfo, softmax
from inference.onnx import OnnxClassifier
from inference.tokenizer import ReviewTokenizer
from training.data.reviews import Reviews, sample
from training.evaluate import classify, forward, probabilities
from training.export.batch_mates import BatchMates, measure_batch_mates
from training.export.calibrate import fit_temperature
from training.export.fit_cascade import FOLDS, StageAnswers
from training.metrics import by_stage, score

# Reviews on which the effect of batch-mates is measured.
BATCH_MATES_SAMPLE = 500


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """How figures are taken: the load options of the classifier, the micro-batch budget and the seed of samples."""

    tokeniser: ReviewTokenizer
    pad_id: int
    threads: int
    token_budget: int
    seed: int


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Labelled reviews that no weight was fitted on, and what the manifest calls them."""

    dataset: str
    split: str
    reviews: Reviews


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The network alone on the validation reviews: `info` holds its temperature, `logits` were divided by it.

    `tokens` [reviews] counts those of whole reviews.
    """

    info: ModelInfo
    logits: NDArray[np.float32]
    tokens: NDArray[np.int64]
    figures: dict[str, Any]


def calibrated(folder: Path, info: ModelInfo, part: HeldOut, bench: MeasureOptions) -> Calibrated:
    """Fit the temperature on the validation reviews, and measure the network under it."""
    classifier = network(folder, info, bench)
    began = time.perf_counter()
    encoded = classifier.tokenise(part.reviews.texts)
    logits = forward(classifier, encoded, micro_batches(encoded, bench.token_budget))
    speed = _speed(part, began)
    fitted = replace(info, temperature=fit_temperature(logits, np.asarray(part.reviews.labels)))
    entry = _entry(fitted, part, bench, softmax(logits, fitted.temperature)) | speed
    tokens = np.array([review.tokens for review in encoded])
    return Calibrated(fitted, logits / np.float32(fitted.temperature), tokens, entry)


def network(folder: Path, info: ModelInfo, bench: MeasureOptions) -> OnnxClassifier:
    """Return the network in `folder`, without n-grams."""
    return onnx.load(folder, info, bench.tokeniser, pad_id=bench.pad_id, threads=bench.threads)


def figures(classifier: Classifier, part: HeldOut, bench: MeasureOptions) -> dict[str, Any]:
    """Return the figures of one data set, as the manifest keeps them."""
    began = time.perf_counter()
    answers = classify(classifier, part.reviews.texts, bench.token_budget)
    speed = _speed(part, began)
    rows = probabilities(answers)
    stages = by_stage([answer.stage for answer in answers], rows.argmax(axis=1) == np.asarray(part.reviews.labels))
    return _entry(classifier.info, part, bench, rows) | speed | {"stages": stages}


def point_figures(info: ModelInfo, part: HeldOut, bench: MeasureOptions, answers: StageAnswers) -> dict[str, Any]:
    """Return the figures of cross-fitted answers at an operating point; they have no speed."""
    stages = answers.stages(np.asarray(part.reviews.labels), info.stage)
    return _entry(info, part, bench, answers.rows) | {"stages": stages, "cross_fitted": FOLDS}


def _entry(info: ModelInfo, part: HeldOut, bench: MeasureOptions, rows: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "dataset": part.dataset,
        "split": part.split,
        "date": datetime.now(UTC).date().isoformat(),
        "precision": info.precision,
        "threads": bench.threads,
        **asdict(score(np.asarray(part.reviews.labels), rows, list(info.labels))),
    }


def _speed(part: HeldOut, began: float) -> dict[str, float]:
    return {"reviews_per_second": round(len(part.reviews) / (time.perf_counter() - began), 1)}


def batch_mates(classifier: Classifier, validation: Reviews, bench: MeasureOptions) -> BatchMates:
    """Return how far batch-mates move a probability, over a sample of the validation reviews."""
    encoded = classifier.tokenise(sample(validation, BATCH_MATES_SAMPLE, bench.seed).texts)
    return measure_batch_mates(classifier, encoded, bench.token_budget, bench.seed)
