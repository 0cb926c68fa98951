"""Join a network and n-grams to one classifier, and measure it at every operating point on the validation reviews."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.cascade import CascadeClassifier, join_stages
from inference.figures import Metrics
from inference.ngrams import NgramModel
from inference.stages import FULL, Cascade
from training.errors import TrainingError
from training.export.fit_cascade import NGRAMS, cross_fitted, fit_cascade
from training.export.measure import Calibrated, MeasureOptions, cross_fitted_metrics, evaluation, load_network
from training.export.source import HeldOut


@dataclass(frozen=True, slots=True)
class Composed:
    """Both stages: their part of the manifest, the classifier at the default point and at `full`, and all metrics."""

    cascade: Cascade
    classifier: CascadeClassifier
    full: CascadeClassifier
    metrics: list[Metrics]


def compose(folder: Path, alone: Calibrated, part: HeldOut, options: MeasureOptions, settle_from: int = 0) -> Composed:
    """Fit the weights that join `ngrams.npz` in `folder` with the network; `part` has the reviews of `alone`."""
    network = load_network(folder, alone.info, options)
    ngrams = NgramModel.read(folder / NGRAMS)
    first = ngrams.judge(network.tokeniser.whole(part.reviews.texts))
    if first.shape != alone.logits.shape:
        raise TrainingError(f"The n-grams have {first.shape[1]} labels, the network {alone.logits.shape[1]}.")
    truth = np.asarray(part.reviews.labels)
    cascade = fit_cascade(alone.logits, first, truth, alone.tokens, settle_from)
    classifier, full = (join_stages(network, ngrams, cascade, cascade.threshold(point)) for point in (None, FULL))
    speed = evaluation(classifier, part, options).reviews_per_second
    metrics = [
        cross_fitted_metrics(alone.info, part, options, answers, point).model_copy(
            update={"reviews_per_second": speed if point == cascade.default else None}
        )
        for point, answers in cross_fitted(alone.logits, first, truth, alone.tokens, settle_from).items()
    ]
    return Composed(cascade, classifier, full, metrics)
