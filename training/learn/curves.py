"""Plot the curves of one training run: the loss, and the figures on the validation reviews."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FIGURES = {"accuracy": "accuracy", "f1": "macro F1", "precision": "macro precision", "recall": "macro recall"}


def plot_curves(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Plot the training and validation loss by step, and the validation figures beside it."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    training = [entry for entry in history if "loss" in entry]
    validation = [entry for entry in history if "eval_loss" in entry]
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([each["step"] for each in training], [float(each["loss"]) for each in training], label="training")
    steps = [each["step"] for each in validation]
    left.plot(steps, [each["eval_loss"] for each in validation], "o-", label="validation")
    left.set_ylabel("loss")
    for key, name in FIGURES.items():
        right.plot(steps, [100 * each[f"eval_{key}"] for each in validation], "o-", label=name)
    right.set_ylabel("validation [%]")
    for panel in (left, right):
        panel.set_xlabel("step")
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(path, dpi=120)
