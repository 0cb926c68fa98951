"""Read the weights of a served model back from its int8 graph, so that training can start from a published version."""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from training.errors import TrainingError

# The prefix of the constants of a graph: `training.export.graph` exports the network as a member named `model`.
ROOT = "model."
# Graphs of version 2 of the default model name a product after its module; later graphs name only its bias.
SUFFIX = "/MatMul"
BIAS = ".bias"
NOT_LINEAR = ".LayerNorm.bias"  # the addition of a block's output is fused with the normalisation after it
PARTS = ("query", "key", "value")


def served_weights(graph: Path) -> dict[str, Tensor]:
    """Return the float32 weights, by their names in `MeanPooledClassifier`, that a graph of `verdict export` holds.

    Each int8 value is multiplied by its scale; the rounding of quantisation is not undone.

    Raises:
        TrainingError: the file is no such graph.
    """
    try:
        model = onnx.load(graph)
    except Exception as exc:  # protobuf and onnx raise errors without a common base
        raise TrainingError(f"{graph} is no readable ONNX graph.") from exc
    values = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    found = {name: _dequantised(values, name) for name in _direct(values)}
    found |= _products(model.graph, values)
    found |= _attention_biases(values)
    if "head.weight" not in found:
        raise TrainingError(f"{graph} was not written by verdict export.")
    if not _stored_by_rows(model.graph, f"{ROOT}head.weight"):
        found["head.weight"] = found["head.weight"].T
    return {name: torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)) for name, value in found.items()}


def _stored_by_rows(graph: onnx.GraphProto, name: str) -> bool:
    """Return whether a weight is [outputs, inputs], as in a network: in float32 graphs, where a Gemm transposes it."""
    reader = next(node for node in graph.node if name in node.input)
    return any(attribute.name == "transB" and attribute.i == 1 for attribute in reader.attribute)


def _direct(values: dict[str, NDArray[np.generic]]) -> list[str]:
    """Return the names of the weights that have the same name in the graph and in the network."""
    weights = (name for name, value in values.items() if value.dtype != np.int64)  # positions are counted, not learnt
    names = {name.removesuffix("_quantized") for name in weights if name.startswith(ROOT)}
    return [name.removeprefix(ROOT) for name in names if not name.endswith(("_scale", "_zero_point"))]


def _products(graph: onnx.GraphProto, values: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
    """Return the weights of linear layers, which the exporter has renamed, by their names in the network."""
    found = {}
    for node in graph.node:
        if node.op_type != "MatMul":
            continue
        constant = node.input[1].removesuffix("_DequantizeLinear_Output")
        if constant.startswith(ROOT) or not (f"{constant}_quantized" in values or constant in values):
            continue
        if module := _module(graph, node):
            found[f"{module}.weight"] = _dequantised(values, constant, root="").T
    return found


def _module(graph: onnx.GraphProto, product: onnx.NodeProto) -> str | None:
    """Return the path of the linear layer that a product belongs to."""
    if product.name.endswith(SUFFIX):
        return product.name.removesuffix(SUFFIX).strip("/").replace("/", ".").removeprefix(ROOT)
    for reader in graph.node:
        if product.output[0] in reader.input:
            for name in reader.input:
                if name.startswith(ROOT) and name.endswith(BIAS) and not name.endswith(NOT_LINEAR):
                    return str(name).removeprefix(ROOT).removesuffix(BIAS)
    return None


def _attention_biases(values: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
    """Return the biases of query, key and value, which the fusion has joined into one row."""
    found = {}
    for name, value in values.items():
        if name.startswith("Attention_") and name.endswith("_qkv_bias"):
            layer = name.split("_")[1]
            for part, bias in zip(PARTS, np.split(value.astype(np.float32), len(PARTS)), strict=True):
                found[f"encoder.encoder.layer.{layer}.attention.self.{part}.bias"] = bias
    return found


def _dequantised(values: dict[str, NDArray[np.generic]], name: str, root: str = ROOT) -> NDArray[np.float32]:
    key = f"{root}{name}"
    if key in values:
        return values[key].astype(np.float32)
    whole = values[f"{key}_quantized"].astype(np.float32) - values[f"{key}_zero_point"].astype(np.float32)
    return np.asarray(whole * values[f"{key}_scale"].astype(np.float32), dtype=np.float32)
