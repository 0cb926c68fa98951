"""Float32 networks in torch: a common deployment as a baseline, and the network of a training run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from inference.classifier import Classifier, Encoded, ModelInfo, Prediction, pad, predictions
from inference.manifest import TOKENIZER
from inference.tokenizer import ReviewTokenizer
from training.data.run_folder import RunRecord
from training.learn.model import load_trained
from training.learn.preprocessing import tokeniser_of


class TorchClassifier:
    """A torch network as a classifier; texts are cleaned, tokenised and cut as for the served model."""

    def __init__(
        self, network: Callable[[Tensor, Tensor], Tensor], tokeniser: ReviewTokenizer, info: ModelInfo, pad_id: int
    ) -> None:
        self.info = info
        self._network = network
        self._tokeniser = tokeniser
        self._pad_id = pad_id

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        """Clean, tokenise and truncate each text."""
        return self._tokeniser.encode(texts)

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Return logits of shape [reviews, labels] for one padded batch."""
        ids, mask = pad(batch, self._pad_id)
        with torch.inference_mode():
            return np.asarray(self._network(torch.from_numpy(ids), torch.from_numpy(mask)), dtype=np.float32)

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        """Return one prediction for each review."""
        return predictions(batch, logits, self.info)


def trained(run: Path, tokeniser: ReviewTokenizer, info: ModelInfo, pad_id: int, threads: int) -> Classifier:
    """Return the network of a training run with the fused attention of torch."""
    torch.set_num_threads(threads)
    network = load_trained(run, len(info.labels))
    network.base().set_attn_implementation("sdpa")
    return TorchClassifier(lambda ids, mask: network(ids, mask)["logits"], tokeniser, info, pad_id)


def of_run(run: Path, threads: int) -> Classifier:
    """Return the network of a run as it was trained: with its own preprocessing and no calibration."""
    torch.set_num_threads(threads)
    record = RunRecord.read(run)
    settings, labels = record.settings(), tuple(record.labels)
    network = load_trained(run, len(labels))
    info = ModelInfo(
        name=run.name,
        version="",
        precision="float32",
        labels=labels,
        max_tokens=settings.max_tokens,
        backend="torch",
        stage="transformer",
        temperature=1.0,
    )
    tokeniser = tokeniser_of(settings, run / TOKENIZER)
    return TorchClassifier(lambda ids, mask: network(ids, mask)["logits"], tokeniser, info, record.pad_id)


def distilbert_sized(tokeniser: ReviewTokenizer, info: ModelInfo, pad_id: int, threads: int) -> Classifier:
    """Return a network of the shape of DistilBERT (6 layers, 768 wide, 12 heads); random weights are as fast."""
    torch.set_num_threads(threads)
    shape: Any = DistilBertConfig  # its signature lacks the parameters of its base class
    config = shape(
        vocab_size=len(tokeniser.vocabulary()),
        max_position_embeddings=max(512, info.max_tokens),
        num_labels=len(info.labels),
        pad_token_id=pad_id,
    )
    network: Any = DistilBertForSequenceClassification(config)
    network.eval()
    return TorchClassifier(lambda ids, mask: network(ids, mask).logits, tokeniser, info, pad_id)
