"""Fit when a model of two labels predicts neutral, from neutral texts and texts with a leaning."""

import numpy as np
from numpy.typing import NDArray

from inference.stages import Neutral
from training.export.fit_cascade import regression

Probabilities = NDArray[np.float64]


def fit_neutral(even: Probabilities, leaning: Probabilities, seed: int) -> Neutral:
    """Return the logistic share of neutral from probabilities [texts, 2] of neutral texts and of texts with a leaning.

    The same number of texts of both kinds is used, since the data sets do not tell how common neutral texts are.
    """
    draw = np.random.default_rng(seed)
    count = min(len(even), len(leaning))
    margins = np.concatenate([_margins(part[draw.permutation(len(part))[:count]]) for part in (even, leaning)])
    design = np.zeros((2 * count, 2, 2))
    design[:, 1] = np.stack([-margins, np.ones(2 * count)], axis=1)
    neutral = np.repeat([1, 0], count)
    slope, offset = regression(design, neutral, prior=np.array([1.0, 1.0]))
    return Neutral(slope=round(float(slope), 4), offset=round(float(offset), 4))


def _margins(probabilities: Probabilities) -> NDArray[np.float64]:
    """Return the absolute log odds of the two labels."""
    logs = np.log(np.clip(probabilities, 1e-9, 1))
    return np.asarray(np.abs(logs[:, 1] - logs[:, 0]))
