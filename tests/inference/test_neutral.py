"""Neutral as a third label: only on request, and only where both labels are about equally likely."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.classifier import Encoded, ModelInfo, Prediction, predictions
from inference.neutral import ThreeWayClassifier, three_way
from inference.stages import Neutral

INFO = ModelInfo("m", "3", "int8", ("negative", "positive"), 160, "onnx", "transformer", temperature=1.0)
EVEN_BELOW_1 = Neutral(slope=4, offset=4)


class Echo:
    """A classifier whose texts are the log odds of positive."""

    info = INFO

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        return [Encoded((round(10 * float(text)),), tokens=1, truncated=False) for text in texts]

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        return np.array([[0, review.ids[0] / 10] for review in batch], dtype=np.float32)

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        return predictions(batch, logits, self.info)


def predicted(*log_odds: float) -> list[Prediction]:
    classifier = ThreeWayClassifier(Echo(), EVEN_BELOW_1)
    batch = classifier.tokenise([str(each) for each in log_odds])
    return classifier.postprocess(batch, classifier.forward(batch))


def test_a_torn_answer_is_neutral_and_a_sure_one_keeps_its_label() -> None:
    assert [answer.sentiment for answer in predicted(-5, -0.2, 0, 0.2, 5)] == [
        "negative",
        "neutral",
        "neutral",
        "neutral",
        "positive",
    ]


def test_probabilities_are_of_three_labels_and_add_up() -> None:
    for answer in predicted(-3, 0.1, 1.0):
        assert list(answer.probabilities) == ["negative", "positive", "neutral"]
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.confidence == max(answer.probabilities.values())


def test_results_name_a_version_of_their_own() -> None:
    assert ThreeWayClassifier(Echo(), EVEN_BELOW_1).info.version == "3+neutral"


def test_a_probability_of_one_gives_finite_values() -> None:
    assert np.isfinite(three_way(np.array([[0.0, 1.0], [1.0, 0.0]]), EVEN_BELOW_1)).all()


def test_no_answer_is_no_work() -> None:
    assert ThreeWayClassifier(Echo(), EVEN_BELOW_1).postprocess([], np.empty((0, 2), dtype=np.float32)) == []
