"""A classifier on ONNX Runtime: the CPU default, needing neither torch nor transformers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from inference.classifier import Encoded, ModelInfo, Prediction, pad, predictions
from inference.tokenizer import ReviewTokenizer

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class OnnxClassifier:
    """One session and its tokenizer; the steps are safe to call from several threads."""

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
        """Return one calibrated prediction a review; raise `NonFiniteLogitsError` naming the first culprit."""
        return predictions(batch, logits, self.info)


def load(folder: Path, info: ModelInfo, tokeniser: ReviewTokenizer, *, pad_id: int, threads: int) -> OnnxClassifier:
    """Return a classifier from `model.onnx`; `threads` includes the calling one."""
    # A GPU is used where the build of ONNX Runtime knows one (the image with the extra of CUDA).
    providers = [each for each in PROVIDERS if each in ort.get_available_providers()]
    session = ort.InferenceSession(str(folder / "model.onnx"), session_options(threads), providers=providers)
    return OnnxClassifier(session, tokeniser, info, pad_id)


def session_options(threads: int) -> ort.SessionOptions:
    """Return the options every session runs under."""
    options = ort.SessionOptions()
    # ONNX Runtime counts the machine's cores and knows no cgroup quota, so the caller must say.
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Spinning threads take the CPU from the store and the API beside them: a lone review costs 62 ms of it, 33 without.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
