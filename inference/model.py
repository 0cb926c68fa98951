"""Load and use a model in one call, for a notebook, a script or a data pipeline."""

import os
from collections.abc import Sequence
from pathlib import Path

from inference.batching import micro_batches
from inference.classifier import Classifier, ModelInfo, Prediction
from inference.loading import load_classifier
from inference.manifest import MANIFEST, load_manifest
from settings import newest_version


class Model:
    """A loaded classifier and the size of its micro-batches, in padded tokens."""

    def __init__(self, classifier: Classifier, token_budget: int) -> None:
        self._classifier = classifier
        self._token_budget = token_budget

    @property
    def info(self) -> ModelInfo:
        """Return the name, version, precision and labels of the model."""
        return self._classifier.info

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return one prediction for each text, in order.

        Raises:
            NonFiniteLogitsError: the model returns NaN or infinity for one of the texts.
        """
        encoded = self._classifier.tokenise(texts)
        found: dict[int, Prediction] = {}
        for group in micro_batches(encoded, self._token_budget):
            batch = [encoded[index] for index in group]
            predictions = self._classifier.postprocess(batch, self._classifier.forward(batch))
            found.update(zip(group, predictions, strict=True))
        return [found[index] for index in range(len(texts))]


def load(path: str | Path, *, threads: int | None = None, point: str | None = None) -> Model:
    """Load a model folder, or the newest version in a folder of versions.

    `threads` is the number of inference threads, by default one for each CPU. `point` is an operating point of a model
    of two stages, by default the one in its manifest.

    Raises:
        ModelError: the folder holds no model that can be served.
    """
    folder = Path(path)
    if not (folder / MANIFEST).is_file():
        folder = newest_version(folder) or folder
    threads = threads or len(os.sched_getaffinity(0))
    return Model(load_classifier(folder, threads=threads, point=point), load_manifest(folder).batching.token_budget)
