"""A classifier on ONNX Runtime, the default on CPUs; it needs neither torch nor transformers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from inference.classifier import Encoded, ModelInfo, Prediction, pad, predictions
from inference.tokenizer import ReviewTokenizer

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class OnnxClassifier:
    """One session and its tokenizer; several threads may call the steps at once."""

    def __init__(self, session: ort.InferenceSession, tokeniser: ReviewTokenizer, info: ModelInfo, pad_id: int) -> None:
        self.info = info
        self._session = session
        self.tokeniser = tokeniser
        self._pad_id = pad_id

    def tokenise(self, texts: Sequence[str]) -> list[Encoded]:
        """Clean, tokenise and truncate each text."""
        return self.tokeniser.encode(texts)

    def forward(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Return logits of shape [reviews, labels] for one padded batch."""
        ids, mask = pad(batch, self._pad_id)
        (logits,) = self._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(logits, dtype=np.float32)

    def postprocess(self, batch: Sequence[Encoded], logits: NDArray[np.float32]) -> list[Prediction]:
        """Return one calibrated prediction for each review.

        Raises:
            NonFiniteLogitsError: a logit is NaN or infinite; names the first such review.
        """
        return predictions(batch, logits, self.info)


def load(folder: Path, info: ModelInfo, tokeniser: ReviewTokenizer, *, pad_id: int, threads: int) -> OnnxClassifier:
    """Return a classifier from `model.onnx`; `threads` includes the calling thread."""
    # A GPU is used if this build of ONNX Runtime supports one (the image with the extra for CUDA).
    providers = [each for each in PROVIDERS if each in ort.get_available_providers()]
    session = ort.InferenceSession(str(folder / "model.onnx"), session_options(threads), providers=providers)
    return OnnxClassifier(session, tokeniser, info, pad_id)


def session_options(threads: int) -> ort.SessionOptions:
    """Return the options of every session."""
    options = ort.SessionOptions()
    # By default ONNX Runtime counts the cores of the machine and ignores a cgroup quota.
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Spinning threads take CPU time from PostgreSQL and the API: one review costs 62 ms of it with them, 33 ms without.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
