"""Two stages behind one classifier: n-grams settle the reviews they are sure of, the network reads the rest.

Loaded by `worker.registry`; its three steps are called by the worker's inference loop and by `training.evaluate`.
Calls `worker.ngrams` with the whole review while tokenising, and `worker.onnx_backend` for the forward pass.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.classifier import Encoded, Prediction, predictions, softmax
from worker.ngrams import NgramModel
from worker.onnx_backend import OnnxClassifier
from worker.registry import Cascade


def join(cascade: Cascade, network: NDArray[np.float32], ngram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the stacked logits [reviews, labels] of the calibrated ones of both stages."""
    bias = np.array(cascade.bias, dtype=np.float32)
    return np.asarray(cascade.network_weight * network + cascade.ngram_weight * ngram + bias, dtype=np.float32)


class CascadeClassifier:
    """Both models, how they are joined, and the confidence from which the n-grams answer alone.

    Its logits are calibrated already, so `info.temperature` is 1.
    """

    def __init__(self, network: OnnxClassifier, ngrams: NgramModel, cascade: Cascade, threshold: float) -> None:
        self.info = replace(network.info, temperature=1.0)
        self._network = network
        self._ngrams = ngrams
        self._cascade = cascade
        self._threshold = threshold

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokenise each text once, judge the whole of it by its n-grams, and truncate what that does not settle."""
        reviews = self._network.tokeniser.whole(texts)
        if not reviews:
            return []
        first = self._ngrams.judge(reviews)
        settled = softmax(first).max(axis=1) >= self._threshold
        return [
            Encoded((), tokens=len(ids), truncated=False, first=tuple(row), whole=ids)
            if sure
            else replace(self._network.tokeniser.cut(ids), first=tuple(row), whole=ids)
            for ids, row, sure in zip(reviews, first.tolist(), settled, strict=True)
        ]

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Return calibrated logits [reviews, labels]: the first stage's where it settled a review, else both joined."""
        logits = np.array([review.first for review in batch], dtype=np.float32)
        due = [index for index, review in enumerate(batch) if not review.settled]
        if due:
            network = self._network.forward([batch[index] for index in due]) / self._network.info.temperature
            logits[due] = join(self._cascade, network, logits[due])
        return logits

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        """Return one calibrated prediction a review; raise `NonFiniteLogitsError` naming the first culprit."""
        return predictions(batch, logits, self.info)


def load(folder: Path, network: OnnxClassifier, cascade: Cascade, threshold: float) -> CascadeClassifier:
    """Return a classifier from the network and the n-grams in `folder`."""
    ngrams = NgramModel.read(folder / cascade.ngrams)
    if (count := len(ngrams.logits([]))) != len(network.info.labels):
        raise ValueError(f"its n-grams tell {count} labels apart, not {len(network.info.labels)}")
    return CascadeClassifier(network, ngrams, cascade, threshold)
