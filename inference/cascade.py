"""Two stages behind one classifier: n-grams classify the reviews they are sure of, the network reads the rest."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.classifier import Encoded, Prediction, predictions, softmax
from inference.ngrams import NgramModel
from inference.onnx import OnnxClassifier
from inference.stages import Cascade

Logits = NDArray[np.float32]


def join(cascade: Cascade, network: Logits, ngram: Logits, tokens: Sequence[int]) -> Logits:
    """Return joined logits [reviews, labels] of the calibrated logits of both stages; `tokens` [reviews] are lengths.

    The length of a review chooses its stack. Where the n-grams give no opinion (all zeros) the network's logits are
    returned unchanged, because the bias of a stack was fitted for both stages together.
    """
    which = np.searchsorted(cascade.lengths, tokens)
    weights = np.array([[stack.network_weight, stack.ngram_weight] for stack in cascade.stacks], dtype=np.float32)[
        which
    ]
    bias = np.array([stack.bias for stack in cascade.stacks], dtype=np.float32)[which]
    joined = weights[:, :1] * network + weights[:, 1:] * ngram + bias
    return np.where(ngram.any(axis=1, keepdims=True), joined, network)


def settling_confidence(cascade: Cascade, ngram: Logits, tokens: Sequence[int]) -> NDArray[np.float64]:
    """Return the highest threshold [reviews] at which the n-grams classify each review alone.

    It is their confidence, and minus infinity for reviews of fewer than `settle_from` tokens.
    """
    return np.where(np.asarray(tokens) >= cascade.settle_from, softmax(ngram).max(axis=1), -np.inf)


def settled_alone(cascade: Cascade, ngram: Logits, tokens: Sequence[int], threshold: float) -> NDArray[np.bool_]:
    """Return which reviews the n-grams classify alone at a threshold."""
    return np.asarray(settling_confidence(cascade, ngram, tokens) >= threshold)


class CascadeClassifier:
    """Both models, how they are joined, and the confidence from which the n-grams classify a review alone.

    Its logits are already calibrated, so `info.temperature` is 1.
    """

    def __init__(self, network: OnnxClassifier, ngrams: NgramModel, cascade: Cascade, threshold: float) -> None:
        self.info = replace(network.info, temperature=1.0)
        self._network = network
        self._ngrams = ngrams
        self._cascade = cascade
        self._threshold = threshold

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokenise each text once, classify it by all its n-grams, and truncate those that are left to the network."""
        reviews = self._network.tokeniser.whole(texts)
        if not reviews:
            return []
        first = self._ngrams.judge(reviews)
        settled = settled_alone(self._cascade, first, [len(ids) for ids in reviews], self._threshold)
        return [
            Encoded((), tokens=len(ids), truncated=False, first=tuple(row), whole=ids)
            if sure
            else replace(self._network.tokeniser.cut(ids), first=tuple(row), whole=ids)
            for ids, row, sure in zip(reviews, first.tolist(), settled, strict=True)
        ]

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Return calibrated logits [reviews, labels]: of the first stage where it settled a review, else joined."""
        logits = np.array([review.first for review in batch], dtype=np.float32)
        due = [index for index, review in enumerate(batch) if not review.settled]
        if due:
            network = self._network.forward([batch[index] for index in due]) / self._network.info.temperature
            logits[due] = join(self._cascade, network, logits[due], [batch[index].tokens for index in due])
        return logits

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        """Return one calibrated prediction for each review.

        Raises:
            NonFiniteLogitsError: a logit is NaN or infinite; names the first such review.
        """
        return predictions(batch, logits, self.info)


def join_stages(network: OnnxClassifier, ngrams: NgramModel, cascade: Cascade, threshold: float) -> CascadeClassifier:
    """Return a classifier of both stages; the n-grams classify alone from the confidence `threshold` on."""
    if (count := len(ngrams.logits([]))) != len(network.info.labels):
        raise ValueError(f"its n-grams have {count} labels, its network has {len(network.info.labels)}")
    return CascadeClassifier(network, ngrams, cascade, threshold)
