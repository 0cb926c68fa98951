"""Make one classifier of a network and n-grams, and measure it at every operating point on the validation split.

Called by `training.export.export_model`; calls `training.export.fit_cascade` for weights and thresholds and
`training.export.measure` for figures.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from inference.cascade import CascadeClassifier, join_stages
from inference.manifest import FULL, Cascade
from inference.ngrams import NgramModel
from training.errors import TrainingError
from training.export import measure
from training.export.fit_cascade import NGRAMS, cross_fitted, fit_cascade
from training.export.measure import Calibrated, HeldOut, MeasureOptions


@dataclass(frozen=True, slots=True)
class Composed:
    """Both stages: their part of the manifest, the classifier at the default point and at `full`, and all figures."""

    cascade: Cascade
    classifier: CascadeClassifier
    full: CascadeClassifier
    figures: dict[str, dict[str, Any]]


def compose(folder: Path, alone: Calibrated, part: HeldOut, bench: MeasureOptions, settle_from: int = 0) -> Composed:
    """Fit how `ngrams.npz` in `folder` joins the network; the reviews of `part` are those of `alone`."""
    network = measure.network(folder, alone.info, bench)
    ngrams = NgramModel.read(folder / NGRAMS)
    first = ngrams.judge(network.tokeniser.whole(part.reviews.texts))
    if first.shape != alone.logits.shape:
        raise TrainingError(f"The n-grams tell {first.shape[1]} labels apart, the network {alone.logits.shape[1]}.")
    truth = np.asarray(part.reviews.labels)
    cascade = fit_cascade(alone.logits, first, truth, alone.tokens, settle_from)
    figures = {
        point: {"point": point} | measure.point_figures(alone.info, part, bench, found)
        for point, found in cross_fitted(alone.logits, first, truth, alone.tokens, settle_from).items()
    }
    classifier, full = (join_stages(network, ngrams, cascade, cascade.threshold(point)) for point in (None, FULL))
    served = measure.figures(classifier, part, bench)
    figures[cascade.default]["reviews_per_second"] = served["reviews_per_second"]
    return Composed(cascade, classifier, full, figures)


def check_same_tokens(run: Path, ngrams: Path) -> None:
    """Refuse n-grams over other tokens than the network reads: one tokenisation serves both."""
    for folder in (run, ngrams):
        if not (folder / "tokenizer.json").is_file():
            raise TrainingError(f"{folder} holds no tokenizer.json.")
    if _tokenizer(run) != _tokenizer(ngrams):
        raise TrainingError(f"The tokenizers of {run} and {ngrams} differ; fit the n-grams with the run's base model.")


def _tokenizer(folder: Path) -> str:
    """Return what decides the tokens; lengths are not the file's to limit."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer.to_str()
