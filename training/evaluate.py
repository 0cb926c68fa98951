"""Measure a model folder on labelled reviews, with the classifier of a worker; needs no torch."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.batching import micro_batches
from inference.classifier import Classifier, Encoded, Prediction
from inference.loading import load_classifier
from inference.manifest import load_manifest
from training.data.reviews import Reviews
from training.errors import TrainingError
from training.metrics import GroupScore, Scores, by_group, by_stage, score

WORDS = ((0, 10), (11, 30), (31, 100), (101, sys.maxsize))


@dataclass(frozen=True, slots=True)
class ModelEvaluation:
    """The figures of one model on one data set; speed covers tokenise, forward and postprocess, not model loading.

    `point` is the operating point of a model of two stages; `stages` holds the share and accuracy of each stage.
    `groups` has the figures of each group of reviews, `lengths` those by number of words.
    """

    model: str
    version: str
    precision: str
    threads: int
    token_budget: int
    point: str | None
    stages: dict[str, dict[str, float]]
    scores: Scores
    truncated: float
    seconds: float
    reviews_per_second: float
    groups: list[GroupScore]
    lengths: list[GroupScore]


def evaluate(
    model_dir: Path, reviews: Reviews, *, threads: int, token_budget: int | None = None, point: str | None = None
) -> ModelEvaluation:
    """Classify all reviews in sorted micro-batches; `reviews.names` must be the labels of the model, in its order."""
    manifest = load_manifest(model_dir)
    if point and not manifest.cascade:
        raise TrainingError(f"The model in {model_dir} has one stage, and so no operating points.")
    budget = token_budget or manifest.batching.token_budget
    classifier = load_classifier(model_dir, threads=threads, point=point)
    began = time.perf_counter()
    answers = classify(classifier, reviews.texts, budget)
    seconds = time.perf_counter() - began
    rows, truth, names = probabilities(answers), np.asarray(reviews.labels), list(classifier.info.labels)
    return ModelEvaluation(
        model=manifest.name,
        version=manifest.version,
        precision=manifest.precision,
        threads=threads,
        token_budget=budget,
        point=point or (manifest.cascade.default if manifest.cascade else None),
        stages=by_stage([answer.stage for answer in answers], rows.argmax(axis=1) == truth),
        scores=score(truth, rows, names),
        truncated=sum(answer.truncated for answer in answers) / len(answers),
        seconds=seconds,
        reviews_per_second=len(answers) / seconds,
        groups=by_group(reviews.groups, truth, rows, names) if reviews.groups else [],
        lengths=by_group([length_of(text) for text in reviews.texts], truth, rows, names),
    )


def length_of(text: str) -> str:
    """Return the name of the range that the number of words falls into."""
    words = len(text.split())
    least, most = next((least, most) for least, most in WORDS if words <= most)
    return f"{least:>3} to {most} words" if most < sys.maxsize else f"{least:>3} words and more"


def classify(classifier: Classifier, texts: Sequence[str], token_budget: int) -> list[Prediction]:
    """Return one prediction for each text, in order."""
    encoded = classifier.tokenise(texts)
    return classifier.postprocess(encoded, forward(classifier, encoded, micro_batches(encoded, token_budget)))


def forward(classifier: Classifier, encoded: Sequence[Encoded], groups: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Return logits [reviews, labels] in the order of `encoded`, computed group by group."""
    logits = np.empty((len(encoded), len(classifier.info.labels)), dtype=np.float32)
    for group in groups:
        logits[list(group)] = classifier.forward([encoded[index] for index in group])
    return logits


def probabilities(answers: Sequence[Prediction]) -> NDArray[np.float64]:
    """Return probabilities [reviews, labels]."""
    return np.array([list(answer.probabilities.values()) for answer in answers])
