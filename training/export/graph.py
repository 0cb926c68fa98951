"""The trained network as an ONNX graph: exported by torch, and fused for ONNX Runtime."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from training.errors import TrainingError
from training.learn.architecture import token_limit
from training.learn.model import Network
from training.run_log import notes_of_libraries

# Fused and traced graphs agreed to 2e-7 on all-MiniLM-L6-v2; a difference near this limit is a wrong fusion.
LARGEST_DIFFERENCE = 1e-3
# The newest that the fusion passes of ONNX Runtime read; the first with Gelu as one operator.
OPSET = 20
# ONNX Runtime has one operator for their attention: every token sees every token that is not masked, and no score has a
# bias by position. The attention of others is exported operator by operator.
PLAIN_ATTENTION = {"bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"}
FUSED = "onnxruntime"


def _fused_attention(  # noqa: PLR0913, PLR0917 - the signature is that of transformers
    module: nn.Module,  # noqa: ARG001
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> tuple[Tensor, None]:
    """Replace attention over [reviews, heads, tokens, width] in a graph by one operator of ONNX Runtime."""
    reviews, heads, tokens, width = query.shape
    flat = [states.transpose(1, 2).reshape(reviews, tokens, heads * width) for states in (query, key, value)]
    attended = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        (*flat, None, attention_mask.to(torch.int32)),
        {"num_heads": heads, "scale": float(scaling or width**-0.5)},
        dtype=query.dtype,
        shape=flat[0].shape,
        version=1,
    )
    return attended.reshape(reviews, tokens, heads, width), None


def _mask_as_it_is(*_: Any, attention_mask: Tensor, **__: Any) -> Tensor:
    return attention_mask


class _Logits(nn.Module):
    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids, attention_mask)["logits"]
        return logits


def write_float32(model: Network, path: Path) -> None:
    """Write the network as a fused float32 graph of any batch size and length, and compare it with the original."""
    network = _Logits(model).eval()
    ids, mask = _sample(model, 3, 24)
    # No two sizes may be equal, or the exporter takes them for the same dimension.
    reviews, tokens = torch.export.Dim("reviews"), torch.export.Dim("tokens")
    with torch.inference_mode():
        samples = [(ids, mask), _sample(model, 2, min(token_limit(model.config) or 512, 200))]
        expected = [network(*sample).numpy() for sample in samples]
    with notes_of_libraries("export"), _exportable_attention(model):
        torch.onnx.export(
            network,
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes=({0: reviews, 1: tokens}, {0: reviews, 1: tokens}),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        _fuse(path, model)
    for sample, logits in zip(samples, expected, strict=True):
        _compare(path, sample, logits)


def _sample(model: Network, reviews: int, tokens: int) -> tuple[Tensor, Tensor]:
    """Return random ids, and a mask with masked tokens, so that a fusion that drops the mask is found."""
    ids = torch.randint(5, int(model.config.vocab_size), (reviews, tokens), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, tokens // 2 :] = 0
    return ids, mask


@contextmanager
def _exportable_attention(model: Network) -> Iterator[None]:
    """Use the attention operator of ONNX Runtime until the block ends, if it computes the same."""
    base = model.base()
    if base.config.model_type not in PLAIN_ATTENTION:
        yield
        return
    ALL_ATTENTION_FUNCTIONS.register(FUSED, _fused_attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(FUSED, _mask_as_it_is)
    before = base.config._attn_implementation  # noqa: SLF001 - transformers has no other name for it
    base.set_attn_implementation(FUSED)
    try:
        yield
    finally:
        base.set_attn_implementation(before)


def _fuse(path: Path, model: Network) -> None:
    options = FusionOptions("bert")
    # Not fused with its layer norm, the embedding table quantises as a plain Gather and the norm stays exact.
    options.enable_embed_layer_norm = False
    # The pass for residuals assumes that a norm has a bias; those of ModernBERT have none.
    norms = [node for node in onnx.load(path).graph.node if node.op_type == "LayerNormalization"]
    options.enable_skip_layer_norm = all(len(node.input) == 3 for node in norms)
    heads, width = int(model.config.num_attention_heads), int(model.config.hidden_size)
    fused = optimize_model(
        str(path), model_type="bert", num_heads=heads, hidden_size=width, optimization_options=options, opt_level=0
    )
    # The shapes noted by the exporter are out of date after the passes.
    fused.model.graph.ClearField("value_info")
    # The exporter notes source lines at every node: 0.3 MB of the default model, 1 MB of twelve layers.
    for node in fused.model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    fused.save_model_to_file(str(path))


def _compare(path: Path, sample: tuple[Tensor, Tensor], expected: np.ndarray) -> None:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ids, mask = sample
    (found,) = session.run(["logits"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
    difference = float(np.abs(np.asarray(found) - expected).max())
    if not difference < LARGEST_DIFFERENCE:
        raise TrainingError(f"The exported graph differs from the trained network by {difference:.2g}.")
