"""Fit the temperature that logits are divided by, so that confidence equals accuracy; on validation reviews only."""

import math

import numpy as np
from numpy.typing import NDArray

from inference.classifier import softmax

# The likelihood has one minimum in the temperature, so a section search finds it; usable models are in this range.
LOWEST, HIGHEST = 0.05, 20.0
GOLDEN = (math.sqrt(5) - 1) / 2


def negative_log_likelihood(logits: NDArray[np.float32], truth: NDArray[np.int64], temperature: float) -> float:
    """Return the mean negative log likelihood of the true labels, in nats."""
    chosen = softmax(logits, temperature)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def fit_temperature(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Return the temperature of least negative log likelihood of logits [n, labels] (Guo et al. 2017, section 4.2)."""
    low, high = math.log(LOWEST), math.log(HIGHEST)
    while high - low > 1e-4:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if negative_log_likelihood(logits, truth, math.exp(left)) < negative_log_likelihood(
            logits, truth, math.exp(right)
        ):
            high = right
        else:
            low = left
    return round(math.exp((low + high) / 2), 4)
