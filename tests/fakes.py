"""A fake classifier, the only fake in the tests; the text decides its answer or failure."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from db.models import Lane, ModelLane
from inference.classifier import Encoded, ModelInfo, Prediction, predictions

MODEL = "default"
LABELS = ("negative", "positive")
POISON = "poison"  # breaks the forward pass
UNREADABLE = "unreadable"  # breaks the tokeniser
NOT_A_NUMBER = "nan"
FOREIGN = "fremd"  # sets a warning

INTERACTIVE, BULK = ModelLane(MODEL, Lane.INTERACTIVE), ModelLane(MODEL, Lane.BULK)


def expected_sentiment(text: str) -> str:
    """Return the sentiment that the fake predicts for a text."""
    return LABELS[hashlib.sha256(text.encode()).digest()[0] % 2]


class FakeClassifier:
    """Predicts by the hash of the text; `batches` records the sizes of forward passes."""

    def __init__(self) -> None:
        self.info = ModelInfo(
            name=MODEL,
            version="0",
            precision="fake",
            labels=LABELS,
            max_tokens=128,
            backend="fake",
            stage="fake",
            temperature=1.0,
        )
        self.batches: list[int] = []
        self._texts: dict[tuple[int, ...], str] = {}

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        """Return one token a word."""
        if any(UNREADABLE in text for text in texts):
            raise ValueError("unreadable")
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> Encoded:
        ids = tuple(hashlib.sha256(text.encode()).digest()[:8]) + (1,) * len(text.split())
        self._texts[ids[:128]] = text
        return Encoded(ids=ids[:128], tokens=len(ids), truncated=len(ids) > 128, foreign=FOREIGN in text)

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Return logits for `expected_sentiment`."""
        texts = [self._texts[each.ids] for each in batch]
        self.batches.append(len(texts))
        if any(POISON in text for text in texts):
            raise MemoryError("poison")
        rows = [[0.0, 2.0] if expected_sentiment(text) == "positive" else [2.0, 0.0] for text in texts]
        return np.array(
            [[np.nan, 0.0] if NOT_A_NUMBER in text else row for text, row in zip(texts, rows, strict=True)],
            dtype=np.float32,
        )

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        """Return the predictions, as every backend does."""
        answers = predictions(batch, logits, self.info)
        return [
            replace(answer, warnings=("language",)) if review.foreign else answer
            for review, answer in zip(batch, answers, strict=True)
        ]
