"""The trained network as an ONNX graph: traced, and fused for ONNX Runtime.

Called by `training.export`; `training.quantise` goes on from its file.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn

from training.errors import TrainingError
from training.model import MeanPooledClassifier

# Fused and traced graphs agreed to 2e-7 on all-MiniLM-L6-v2; anything near this limit is a wrong fusion.
LARGEST_DIFFERENCE = 1e-3


class _Logits(nn.Module):
    def __init__(self, model: MeanPooledClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids, attention_mask)["logits"]
        return logits


def write_float32(model: MeanPooledClassifier, path: Path) -> None:
    """Write the network as a fused float32 graph of any batch size and length, and compare it with the original."""
    ids = torch.randint(5, int(model.config.vocab_size), (3, 24), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 11:] = 0  # a mask that masks, or the fusion of attention could drop it unseen
    network = _Logits(model).eval()
    axes = {"input_ids": {0: "reviews", 1: "tokens"}, "attention_mask": {0: "reviews", 1: "tokens"}}
    with quiet():
        # ONNX Runtime's fusion passes know the graphs of this exporter; the newer one needs a further library.
        torch.onnx.export(
            network,
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={**axes, "logits": {0: "reviews"}},
            opset_version=17,
            dynamo=False,
        )
        _fuse(path, model)
    with torch.inference_mode():
        expected = network(ids, mask).numpy()
    _compare(path, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}, expected)


def _fuse(path: Path, model: MeanPooledClassifier) -> None:
    options = FusionOptions("bert")
    # Kept apart from its layer norm, the embedding table quantises as a plain Gather and the norm stays exact;
    # kept out of the attention node, its three products quantise like every other.
    options.enable_embed_layer_norm = False
    options.use_multi_head_attention = True
    heads, width = int(model.config.num_attention_heads), int(model.config.hidden_size)
    fused = optimize_model(
        str(path), model_type="bert", num_heads=heads, hidden_size=width, optimization_options=options, opt_level=0
    )
    fused.save_model_to_file(str(path))


def _compare(path: Path, inputs: dict[str, np.ndarray], expected: np.ndarray) -> None:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], inputs)
    difference = float(np.abs(np.asarray(found) - expected).max())
    if not difference < LARGEST_DIFFERENCE:
        raise TrainingError(f"The exported graph differs from the trained network by {difference:.2g}.")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the notes of tracers and quantisers: what they warn of is measured afterwards."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        # The quantiser prints its progress, which would stand in the way of --json.
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
