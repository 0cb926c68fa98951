"""The protocol of a classifier, in three steps: tokenise, forward and post-process.

`inference.onnx` implements it with one network, `inference.cascade` with two stages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FIRST_STAGE = "ngram"


class NonFiniteLogitsError(ValueError):
    """The model returned NaN or infinity for a review; `index` is its place in the batch."""

    def __init__(self, index: int) -> None:
        super().__init__(f"The model returned a non-finite value for review {index} of the batch.")
        self.index = index


@dataclass(frozen=True, slots=True)
class Encoded:
    """One tokenised review: `ids` are truncated, `tokens` counts the whole text; both include special tokens.

    `foreign` marks a text in a language that the model was not trained on. In models of two stages `first` holds the
    calibrated logits [labels] of the first stage, and `whole` the ids that it read.
    """

    ids: tuple[int, ...]
    tokens: int
    truncated: bool
    first: tuple[float, ...] | None = None
    whole: Sequence[int] | None = None
    foreign: bool = False

    @property
    def settled(self) -> bool:
        """Return whether the first stage has classified the review; it then needs no forward pass and keeps no ids."""
        return self.first is not None and not self.ids


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one review; `confidence` is the calibrated probability of `sentiment`."""

    sentiment: str
    confidence: float
    probabilities: dict[str, float]
    truncated: bool
    tokens: int
    stage: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The identity of a model, as results, metrics and `/v1/models` show it."""

    name: str
    version: str
    precision: str
    labels: tuple[str, ...]
    max_tokens: int
    backend: str
    stage: str
    temperature: float


class Classifier(Protocol):
    """Three steps that may run on different threads; only `forward` is expensive."""

    info: ModelInfo

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        """Clean, tokenise and truncate each text."""
        ...

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Return logits of shape [reviews, labels] for one padded batch."""
        ...

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        """Return one calibrated prediction for each review.

        Raises:
            NonFiniteLogitsError: a logit is NaN or infinite; names the first such review.
        """
        ...


def pad(batch: Sequence[Encoded], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return token ids and attention mask, each [reviews, longest]."""
    shape = (len(batch), max(len(review.ids) for review in batch))
    ids, mask = np.full(shape, pad_id, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, review in enumerate(batch):
        ids[row, : len(review.ids)] = review.ids
        mask[row, : len(review.ids)] = 1
    return ids, mask


def softmax(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return probabilities [reviews, labels] of logits divided by `temperature`."""
    scaled = logits.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def predictions(batch: Sequence[Encoded], logits: NDArray[np.float32], info: ModelInfo) -> list[Prediction]:
    """Return one `Prediction` for each review; every backend shares this post-processing."""
    if logits.shape != (len(batch), len(info.labels)):
        raise ValueError(f"The model returned {logits.shape} for {len(batch)} reviews and {len(info.labels)} labels.")
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        raise NonFiniteLogitsError(int(np.argmin(finite)))
    rows = softmax(logits, info.temperature)
    return [_prediction(review, row, info) for review, row in zip(batch, rows, strict=True)]


def _prediction(review: Encoded, row: NDArray[np.float64], info: ModelInfo) -> Prediction:
    best = int(row.argmax())
    return Prediction(
        sentiment=info.labels[best],
        confidence=float(row[best]),
        probabilities={label: float(p) for label, p in zip(info.labels, row, strict=True)},
        truncated=review.truncated,
        tokens=review.tokens,
        stage=FIRST_STAGE if review.settled else info.stage,
    )
