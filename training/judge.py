"""Classify a few texts in this process with a model folder or a training run."""

from collections.abc import Sequence
from pathlib import Path

from inference.classifier import Classifier, Prediction
from inference.loading import load_classifier
from inference.manifest import MANIFEST
from training.errors import TrainingError


def judge(folder: Path, texts: Sequence[str], *, threads: int, point: str | None = None) -> list[Prediction]:
    """Return one prediction for each text.

    Raises:
        ModelError, TrainingError: the folder holds no model, or a text is empty.
    """
    if any(not text.strip() for text in texts):
        raise TrainingError("A text is empty; there is nothing to classify.")
    classifier = _opened(folder, threads, point)
    encoded = classifier.tokenise(texts)
    return classifier.postprocess(encoded, classifier.forward(encoded))


def _opened(folder: Path, threads: int, point: str | None) -> Classifier:
    if not (folder / MANIFEST).is_file() and (folder / "run.json").is_file():
        from training.baselines import of_run  # noqa: PLC0415 - imports torch, which a model folder does not need

        return of_run(folder, threads)
    return load_classifier(folder, threads=threads, point=point)
