"""Measure how far the probabilities of a review depend on the other reviews in its batch.

With ranges fixed at export they do not; with ranges taken from each batch (dynamic quantisation) they would. The
measurement includes the effects of padding and float rounding.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.batching import micro_batches
from inference.classifier import Classifier, Encoded, softmax
from training.evaluate import forward

MIXED_BATCH = 8


@dataclass(frozen=True, slots=True)
class BatchMates:
    """Largest and mean change of a probability against the review alone, and changed labels, of `n` reviews."""

    n: int
    largest_probability_change: float
    mean_probability_change: float
    changed_verdicts: int


def measure_batch_mates(classifier: Classifier, encoded: Sequence[Encoded], token_budget: int, seed: int) -> BatchMates:
    """Compare each review alone with length-sorted micro-batches and with random padded batches of eight."""
    order = list(range(len(encoded)))
    random.Random(seed).shuffle(order)  # noqa: S311 - a repeatable draw, not a secret
    mixed = [order[start : start + MIXED_BATCH] for start in range(0, len(order), MIXED_BATCH)]
    alone = _probabilities(classifier, encoded, [[index] for index in order])
    batched = [_probabilities(classifier, encoded, groups) for groups in (micro_batches(encoded, token_budget), mixed)]
    changes = np.array([np.abs(rows - alone).max(axis=1) for rows in batched])
    flips = [rows.argmax(axis=1) != alone.argmax(axis=1) for rows in batched]
    return BatchMates(len(encoded), float(changes.max()), float(changes.mean()), int(np.sum(flips, axis=1).max()))


def _probabilities(
    classifier: Classifier, encoded: Sequence[Encoded], groups: Sequence[Sequence[int]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return softmax(forward(classifier, encoded, groups), classifier.info.temperature)
