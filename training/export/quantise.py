"""Quantise a float32 graph to int8: weights by output channel, activations by ranges measured on training reviews.

With fixed ranges the prediction for a review does not depend on the other reviews in its batch. Ranges taken at run
time (dynamic quantisation) are as fast here, and changed probabilities by up to 0.13 with the batch.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from inference.classifier import Encoded, pad
from training.run_log import notes_of_libraries

# More rows changed no range noticeably; the histograms of 64 take a minute.
CALIBRATION_ROWS = 64
# Outliers of activations are cut here: mean error of a probability 0.0097, with plain minimum and maximum 0.0136.
PERCENTILE = 99.999
# Values; embedding tables have millions, the attention bias of MPNet 384.
SMALL_TABLE = 500


class _Rows(CalibrationDataReader):  # type: ignore[misc]
    """Feeds one review at a time, all of the same length, as the histograms require."""

    def __init__(self, encoded: Sequence[Encoded], pad_id: int) -> None:
        self._rows = _feeds(encoded, pad_id)

    def get_next(self) -> dict[str, NDArray[np.int64]] | None:
        return next(self._rows, None)


def _feeds(encoded: Sequence[Encoded], pad_id: int) -> Iterator[dict[str, NDArray[np.int64]]]:
    counts = Counter(len(review.ids) for review in encoded)
    length = max(counts, key=lambda size: (size * counts[size], size))
    rows = [review for review in encoded if len(review.ids) == length]
    for review in rows[:CALIBRATION_ROWS]:
        ids, mask = pad([review], pad_id)
        yield {"input_ids": ids, "attention_mask": mask}


def write_int8(float32: Path, path: Path, encoded: Sequence[Encoded], pad_id: int) -> None:
    """Write the int8 form of a fused graph; ranges are measured on the length of review with most tokens in total."""
    table = path.with_suffix(".table.onnx")
    with notes_of_libraries("quantise"):
        # The embedding table first: as int8 it has a quarter of its 47 MB.
        quantize_dynamic(
            float32,
            table,
            op_types_to_quantize=["Gather"],
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_small_tables(float32),
            **_typed(),
        )
        _name_types(table)
        quantize_static(
            table,
            path,
            _Rows(encoded, pad_id),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            # Without VNNI, full-range 8-bit products saturate in 16 bits; with 7-bit weights they cannot.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            nodes_to_exclude=[*_head(table), *_products_of_activations(table)],
            **_typed(CalibPercentile=PERCENTILE, OpTypesToExcludeOutputQuantization=["MatMul"]),
        )
    table.unlink()


def _head(path: Path) -> list[str]:
    """Return the names of the nodes from the last matrix product on.

    They have few weights, whose rounding error would go directly into the logits.
    """
    nodes = onnx.load(path).graph.node
    last = max(place for place, node in enumerate(nodes) if node.op_type in {"MatMul", "Gemm"})
    return [node.name for node in nodes[last:]]


def _small_tables(path: Path) -> list[str]:
    """Return the names of the look-ups in small tables, such as MPNet's attention bias by distance: they stay exact."""
    graph = onnx.load(path).graph
    small = {value.name for value in graph.initializer if math.prod(value.dims) < SMALL_TABLE}
    return [node.name for node in graph.node if node.op_type == "Gather" and node.input[0] in small]


def _products_of_activations(path: Path) -> list[str]:
    """Return the names of the matrix products without weights: those of an attention that is not one operator.

    As int8 an attention over 128 tokens would be rounded to 1/255, and the file would not be smaller.
    """
    graph = onnx.load(path).graph
    weights = {value.name for value in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    return [
        node.name
        for node in graph.node
        if node.op_type == "MatMul" and not any(_is_weight(name, weights, made) for name in node.input)
    ]


def _is_weight(name: str, weights: set[str], made: Mapping[str, onnx.NodeProto]) -> bool:
    """Return whether a tensor is a constant of the graph, perhaps transposed or stored as int8."""
    if name in weights:
        return True
    node = made.get(name)
    return (
        node is not None
        and node.op_type in {"Transpose", "DequantizeLinear"}
        and _is_weight(node.input[0], weights, made)
    )


def _typed(**options: object) -> dict[str, dict[str, object]]:
    return {"extra_options": {"DefaultTensorType": TensorProto.FLOAT, **options}}


def _name_types(path: Path) -> None:
    """Declare the outputs of the fused nodes as float: the quantiser skips tensors of unknown type."""
    model = onnx.load(path)
    known = {value.name for value in model.graph.value_info} | {value.name for value in model.graph.initializer}
    inputs = {node.input[0] for node in model.graph.node if node.op_type == "MatMul"}
    for name in sorted(inputs - known):
        model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    onnx.save(model, path)
