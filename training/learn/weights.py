"""Load weights into a network: of a file, of a run, of a served model, or the mean of several of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.data.run_folder import trained_weights
from training.errors import TrainingError
from training.learn.served import served_weights

# A mean over token states does not use the pooler, so graphs of such networks do not hold it.
UNUSED = "encoder.pooler."
# Prefix in Verdict of the names that transformers gives to the weights of an architecture with its own head.
OWN_HEAD = "network."


def load_weights(network: nn.Module, weights: Path) -> None:
    """Load a file of weights; raise `TrainingError` if it does not fit."""
    network.load_state_dict(_fitting(network, weights, _read(network, weights)), strict=False)


def start_from(network: nn.Module, folders: Sequence[Path]) -> None:
    """Load the weights of a run or a served model, or the mean of the weights of several of them.

    Raises:
        TrainingError: a folder holds no weights, or those of a network of another shape.
    """
    states = []
    for folder in folders:
        graph = folder / "model.onnx"
        state = served_weights(graph) if graph.is_file() else _read(network, trained_weights(folder))
        states.append(_fitting(network, folder, state))
    network.load_state_dict(mean(states), strict=False)


def mean(states: Sequence[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    """Return the mean of the weights that all states have, by name.

    The mean of runs that start from the same weights is often as good as an ensemble of them, at the cost of one
    (Wortsman et al. 2022, "Model soups").
    """
    first, *others = states
    if not others:
        return first
    shared = [name for name in first if all(name in other for other in others)]
    return {name: torch.stack([state[name].float() for state in states]).mean(dim=0) for name in shared}


def _read(network: nn.Module, weights: Path) -> Mapping[str, Tensor]:
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as exc:
        raise TrainingError(f"{weights} cannot be read: {str(exc).splitlines()[0]}") from exc
    own_head = any(name.startswith(OWN_HEAD) for name in network.state_dict())
    if own_head and not any(name.startswith(OWN_HEAD) for name in state):  # saved by transformers
        return {f"{OWN_HEAD}{name}": value for name, value in state.items()}
    return state


def _fitting(network: nn.Module, source: Path, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the state, or raise `TrainingError` naming the first weight that the network lacks or has in addition."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    missing = sorted(name for name in shapes.keys() - state.keys() if not name.startswith(UNUSED))
    unknown = sorted(state.keys() - shapes.keys())
    for place, names in (("it lacks", missing), ("the network has no", unknown)):
        if names:
            raise TrainingError(f"{source} does not fit this network: {place} {names[0]} ({len(names)} such weights).")
    for name, value in state.items():
        if tuple(value.shape) != shapes[name]:
            shape, wanted = list(value.shape), list(shapes[name])
            raise TrainingError(f"{source} does not fit this network: {name} has shape {shape}, not {wanted}.")
    return state
