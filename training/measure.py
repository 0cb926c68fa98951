"""Every figure of an exported model, taken through the serving classifier on the file that is shipped.

Called by `training.export`; calls `training.calibrate`, `training.batch_mates` and `training.metrics`.
"""

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.batch_mates import BatchMates, measure_batch_mates
from training.calibrate import fit_temperature
from training.data import Reviews, sample
from training.evaluate import classify, forward, probabilities
from training.metrics import score
from worker import onnx_backend
from worker.classifier import Classifier, ModelInfo, micro_batches, softmax

# Reviews on which the effect of batch-mates is measured.
BATCH_MATES_SAMPLE = 500


@dataclass(frozen=True, slots=True)
class Bench:
    """How figures are taken: the load options of the classifier, the micro-batch budget and the seed of samples."""

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


def calibrated(folder: Path, info: ModelInfo, part: HeldOut, bench: Bench) -> tuple[ModelInfo, dict[str, Any]]:
    """Return `info` with the temperature fitted on the validation reviews, and their figures under it."""
    classifier = _load(folder, info, bench)
    began = time.perf_counter()
    encoded = classifier.tokenise(part.reviews.texts)
    logits = forward(classifier, encoded, micro_batches(encoded, bench.token_budget))
    seconds = time.perf_counter() - began
    fitted = replace(info, temperature=fit_temperature(logits, np.asarray(part.reviews.labels)))
    return fitted, _entry(fitted, part, bench, softmax(logits, fitted.temperature), seconds)


def figures(folder: Path, info: ModelInfo, part: HeldOut, bench: Bench) -> dict[str, Any]:
    """Return the figures of one data set, as the manifest keeps them."""
    classifier = _load(folder, info, bench)
    began = time.perf_counter()
    answers = classify(classifier, part.reviews.texts, bench.token_budget)
    return _entry(info, part, bench, probabilities(answers), time.perf_counter() - began)


def _load(folder: Path, info: ModelInfo, bench: Bench) -> Classifier:
    return onnx_backend.load(folder, info, pad_id=bench.pad_id, threads=bench.threads)


def _entry(info: ModelInfo, part: HeldOut, bench: Bench, rows: NDArray[np.float64], seconds: float) -> dict[str, Any]:
    return {
        "dataset": part.dataset,
        "split": part.split,
        "date": datetime.now(UTC).date().isoformat(),
        "precision": info.precision,
        "threads": bench.threads,
        "reviews_per_second": round(len(rows) / seconds, 1),
        **asdict(score(np.asarray(part.reviews.labels), rows, list(info.labels))),
    }


def batch_mates(folder: Path, info: ModelInfo, validation: Reviews, bench: Bench) -> BatchMates:
    """Return how far batch-mates move a probability, over a sample of the validation reviews."""
    classifier = _load(folder, info, bench)
    encoded = classifier.tokenise(sample(validation, BATCH_MATES_SAMPLE, bench.seed).texts)
    return measure_batch_mates(classifier, encoded, bench.token_budget, bench.seed)
