"""Add `neutral` as a third label to a model of two labels: predicted where both are about equally likely."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.classifier import Classifier, Encoded, ModelInfo, Prediction
from inference.stages import Neutral

LABEL = "neutral"
# Results name the version, so that predictions with and without the third label are not attributed to one model.
SUFFIX = "+neutral"


def three_way(probabilities: NDArray[np.float64], neutral: Neutral) -> NDArray[np.float64]:
    """Return probabilities [reviews, 3] from [reviews, 2]: the closer the two are, the larger the share of neutral."""
    chance = np.clip(probabilities, 1e-9, 1)
    margin = np.abs(np.log(chance[:, 1]) - np.log(chance[:, 0]))
    share = 1 / (1 + np.exp(neutral.slope * margin - neutral.offset))
    return np.concatenate([probabilities * (1 - share[:, None]), share[:, None]], axis=1)


class ThreeWayClassifier:
    """A classifier of two labels with `neutral` as a third; only the post-processing differs from that of `inner`."""

    def __init__(self, inner: Classifier, neutral: Neutral) -> None:
        self.info: ModelInfo = replace(
            inner.info, labels=(*inner.info.labels, LABEL), version=f"{inner.info.version}{SUFFIX}"
        )
        self._inner = inner
        self._neutral = neutral

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        """Clean, tokenise and truncate each text."""
        return self._inner.tokenise(texts)

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Return logits [reviews, 2] for one padded batch."""
        return self._inner.forward(batch)

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        """Return one prediction over three labels for each review.

        Raises:
            NonFiniteLogitsError: a logit is NaN or infinite; names the first such review.
        """
        answers = self._inner.postprocess(batch, logits)
        if not answers:
            return []
        rows = three_way(np.array([list(answer.probabilities.values()) for answer in answers]), self._neutral)
        return [self._labelled(answer, row) for answer, row in zip(answers, rows, strict=True)]

    def _labelled(self, answer: Prediction, row: NDArray[np.float64]) -> Prediction:
        labels = self.info.labels
        best = int(row.argmax())
        probabilities = {label: float(chance) for label, chance in zip(labels, row, strict=True)}
        return replace(answer, sentiment=labels[best], confidence=float(row[best]), probabilities=probabilities)
