"""Save the network in the folder of a run, as it was trained and in a form for plain transformers."""

import shutil
from pathlib import Path

from safetensors.torch import save_file

from training.data.run_folder import MEAN_POOLED, MEAN_POOLED_WEIGHTS
from training.export.portable import save_portable
from training.learn.model import MeanPooledClassifier, Network, OwnHeadClassifier
from training.run_log import LOG


def save_network_config(model: Network, folder: Path) -> None:
    """Write the configuration before training begins, so that a checkpoint can be loaded."""
    config = model.base().config
    config.architectures = [type(model.base()).__name__]
    if isinstance(model, MeanPooledClassifier):
        folder = folder / MEAN_POOLED
        folder.mkdir(exist_ok=True)
    config.save_pretrained(folder)


def save_network(model: Network, labels: list[str], folder: Path) -> None:
    """Write trained weights into the folder of a run, where `AutoModelForSequenceClassification` finds them."""
    if isinstance(model, OwnHeadClassifier):
        model.network.save_pretrained(folder)
    elif isinstance(model, MeanPooledClassifier):
        save_mean_pooled(model, labels, folder)


def save_mean_pooled(model: MeanPooledClassifier, labels: list[str], folder: Path) -> None:
    """Write a mean-pooled network into `mean_pooled/`, and its form for transformers into the folder itself.

    If transformers has no form of it, the folder itself gets no weights, so loading it raises an error.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    (folder / MEAN_POOLED).mkdir(exist_ok=True)
    save_file(weights, folder / MEAN_POOLED / MEAN_POOLED_WEIGHTS)
    if not save_portable(model, labels, folder):
        LOG.warning(
            "transformers has no form of %s with mean pooling and %d labels: AutoModelForSequenceClassification cannot "
            "load %s; `head: own` can be loaded",
            model.config.model_type,
            len(labels),
            folder,
        )


def upgrade(folder: Path, model: Network, labels: list[str]) -> None:
    """Convert a folder of an earlier version to the present form; transformers would load it with random weights."""
    if (folder / MEAN_POOLED).is_dir() or not isinstance(model, MeanPooledClassifier):
        return
    scratch = folder / f".{MEAN_POOLED}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    shutil.copyfile(folder / "config.json", scratch / "config.json")
    shutil.copyfile(folder / "model.safetensors", scratch / MEAN_POOLED_WEIGHTS)
    (folder / "model.safetensors").unlink()
    scratch.rename(folder / MEAN_POOLED)
    save_mean_pooled(model, labels, folder)
