"""Mark texts in a language that the model was not trained on, or in none, and lower the confidence for them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from inference.classifier import Classifier, Encoded, Prediction

WARNING = "language"
# The tokenizer seldom splits words of the language that its vocabulary was made for. Both limits together mark 1.2 % of
# 4,000 development texts, and 51 of 52 sentences in 35 other languages.
LEAST_SPLIT = 0.1
LEAST_PROBABILITY = 0.1
BEGINNING_CHARS = 400
CONTINUATION = "##"
UNKNOWN = ("[UNK]", "<unk>")  # a whole word in a script that the vocabulary lacks
SHORT_WORDS = frozenset("ai")  # English words of one letter
# Predictions for marked texts are hardly better than chance: their logits are multiplied by this.
DOUBT = 0.25


class LanguageCheck:
    """A classifier that marks texts not in `language` (ISO 639-1), and otherwise does as `inner`."""

    def __init__(self, inner: Classifier, language: str, vocabulary: Sequence[str]) -> None:
        self.info = inner.info
        self._inner = inner
        self._language = language
        self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        self._letters = np.array([any(letter.isalpha() for letter in token) for token in vocabulary])
        self._split = self._letters & np.array([_is_part(token) for token in vocabulary])

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokenise each text and mark those in another language."""
        encoded = self._inner.tokenise(texts)
        return [
            replace(review, foreign=True) if self._foreign(text, review) else review
            for text, review in zip(texts, encoded, strict=True)
        ]

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Return logits of shape [reviews, labels] for one padded batch."""
        return self._inner.forward(batch)

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        """Return one prediction for each review; a marked text gets low confidence and a warning."""
        foreign = np.array([review.foreign for review in batch], dtype=bool)
        doubted = np.where(foreign[:, None], logits * np.float32(DOUBT), logits)
        answers = self._inner.postprocess(batch, doubted)
        return [
            replace(answer, warnings=(*answer.warnings, WARNING)) if review.foreign else answer
            for review, answer in zip(batch, answers, strict=True)
        ]

    def _foreign(self, text: str, review: Encoded) -> bool:
        ids = np.asarray(review.whole or review.ids, dtype=np.int64)[1:-1]
        words = int(self._letters[ids].sum())
        if not words:
            return True
        if self._split[ids].sum() / words < LEAST_SPLIT:
            return False
        ranked = dict(self._identifier.rank(text[:BEGINNING_CHARS].lower()))
        return bool(ranked[self._language] < LEAST_PROBABILITY)


def _is_part(token: str) -> bool:
    return token.startswith(CONTINUATION) or token in UNKNOWN or (len(token) == 1 and token not in SHORT_WORDS)
