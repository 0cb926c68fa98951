"""Convert a mean-pooled BERT to a `BertForSequenceClassification` with equal logits, which transformers can load.

That class reads the first token only, so two appended layers write the mean there. They use three identities:
`gelu(x) - gelu(-x) = x` makes a feed-forward block any linear map; queries and keys of zero make attention the mean of
the tokens that are not masked; and a layer norm whose input holds +C and -C, with C far larger than all else, divides
by a constant, which its weight cancels. The first layer turns the state of each token into logits, the second takes
the mean of those. docs/decisions/0014 has the alternatives and the measured differences.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from training.errors import TrainingError
from training.learn.model import MeanPooledClassifier, label_options

# Logits are scaled down between the layers. The norm differs from a constant by their square over that of C (2e-6 at
# two logits of 8); a larger C increases the rounding error of float32.
LARGE = 256.0
LOGIT_SCALE = 1 / 32
# The pooler's tanh(x) is x to 1e-6 for |x| < 2e-3.
POOLED_SCALE = 2.0**-13
# This difference of a logit changes a probability by at most 0.005. Version 3 differs by 0.0034, networks that were
# trained on from it by 0.0072.
LARGEST_DIFFERENCE = 2e-2
EXTRA_LAYERS = 2


def portable(model: MeanPooledClassifier, labels: list[str]) -> BertForSequenceClassification | None:
    """Return the network for transformers, or None if it is not BERT or too narrow for the number of labels.

    Raises:
        TrainingError: the two networks have different logits for the same tokens.
    """
    shape = model.encoder.config
    if shape.model_type != "bert" or shape.hidden_act != "gelu":
        return None
    width = int(shape.hidden_size)
    if 4 * len(labels) + 2 > width or 2 * width > shape.intermediate_size:
        return None
    options = shape.to_dict() | label_options(labels) | {"num_hidden_layers": shape.num_hidden_layers + EXTRA_LAYERS}
    options |= {"architectures": None, "problem_type": "single_label_classification"}
    network: Any = BertForSequenceClassification(BertConfig(**options))  # carries few types
    network.eval()
    _fill(network, model)
    _compare(network, model)
    made: BertForSequenceClassification = network
    return made


@torch.no_grad()
def _fill(network: Any, model: MeanPooledClassifier) -> None:
    encoder = {name: value for name, value in model.encoder.state_dict().items() if not name.startswith("pooler.")}
    network.bert.load_state_dict(encoder, strict=False)
    layers: Any = network.bert.encoder.layer
    project, average = layers[-2], layers[-1]
    for module in (project, average, network.bert.pooler, network.classifier):
        for value in module.parameters():
            value.zero_()
    # Weight and bias of the encoder's last norm move into the head, so that a state has mean 0 and variance 1.
    norm = layers[-1 - EXTRA_LAYERS].output.LayerNorm
    head, bias = model.head.weight * norm.weight, model.head.bias + model.head.weight @ norm.bias
    for unchanged in (norm, project.attention.output.LayerNorm):  # such a state passes a norm as it is
        unchanged.weight.fill_(1.0)
        unchanged.bias.zero_()
    for part in (project.output, average.attention.output, average.output):
        part.LayerNorm.weight.fill_((2 * LARGE**2 / head.shape[1] + norm.eps) ** 0.5)
    _project(project, head)
    _average(average, len(head))
    _read(network, bias)


def _project(layer: nn.Module, head: Tensor) -> None:
    """Make the feed-forward block replace a state by +C, -C, its logits and their negatives, whose sum is zero."""
    up: Any = layer.get_submodule("intermediate.dense")
    down: Any = layer.get_submodule("output.dense")
    labels, width = head.shape
    units = torch.arange(width)
    up.weight[units, units] = 1.0
    up.weight[width + units, units] = -1.0
    added = -torch.eye(width)  # the block is added to the state
    added[2 : 2 + labels] += LOGIT_SCALE * head
    added[2 + labels : 2 + 2 * labels] -= LOGIT_SCALE * head
    down.weight[:, :width] = added
    down.weight[:, width : 2 * width] = -added
    down.bias[0], down.bias[1] = LARGE, -LARGE


def _average(layer: nn.Module, labels: int) -> None:
    """Make the attention write the mean of the logits over all tokens, and its negative, into separate columns."""
    value: Any = layer.get_submodule("attention.self.value")
    dense: Any = layer.get_submodule("attention.output.dense")
    each = torch.arange(labels)
    value.weight[each, 2 + each] = 1.0
    dense.weight[2 + 2 * labels + each, each] = 1.0
    dense.weight[2 + 3 * labels + each, each] = -1.0


def _read(network: BertForSequenceClassification, bias: Tensor) -> None:
    pooler: Any = network.bert.get_submodule("pooler.dense")
    each = torch.arange(len(bias))
    pooler.weight[each, 2 + 2 * len(bias) + each] = POOLED_SCALE / LOGIT_SCALE
    network.classifier.weight[each, each] = 1 / POOLED_SCALE
    network.classifier.bias.copy_(bias)


@torch.inference_mode()
def _compare(network: BertForSequenceClassification, model: MeanPooledClassifier) -> None:
    generator = torch.Generator().manual_seed(0)
    length = min(64, int(model.config.max_position_embeddings))
    ids = torch.randint(5, int(model.config.vocab_size), (4, length), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, length // 2 :] = 0
    device = model.head.weight.device
    was_training = model.training
    model.eval()
    expected = model(ids.to(device), mask.to(device))["logits"].cpu()
    model.train(was_training)
    difference = float((network(input_ids=ids, attention_mask=mask).logits - expected).abs().max())
    if not difference < LARGEST_DIFFERENCE:
        raise TrainingError(f"The network for transformers differs from the trained one by {difference:.2g}.")


def save_portable(model: MeanPooledClassifier, labels: list[str], folder: Path) -> bool:
    """Write `config.json` and `model.safetensors` for transformers; return False if there is no such form."""
    network = portable(model, labels)
    if network is None:
        return False
    network.save_pretrained(folder)
    return True
