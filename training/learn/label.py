"""Label every text of a file with a trained network; the resulting folder is a teacher for another run."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from inference.batching import micro_batches
from inference.classifier import Encoded, pad, softmax
from training.data.reviews import load_texts
from training.data.run_folder import RunRecord
from training.data.soft_targets import Judgement
from training.learn.architecture import check_max_tokens
from training.learn.model import load_trained, trained_config
from training.learn.preprocessing import tokeniser_of
from training.recipes.recipe import LabelConfig

# The parts are written one by one, so a kill loses a few minutes of work of a wide teacher.
PART_ROWS = 1000
TOKEN_BUDGET = 4096
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def label(config: LabelConfig) -> int:
    """Label the missing parts, and return the number of rows in the folder."""
    record = RunRecord.read(config.run)
    model = load_trained(config.run, len(record.labels), config.checkpoint).to(DEVICE)
    max_tokens = config.max_tokens or record.settings().max_tokens
    check_max_tokens(trained_config(config.run), max_tokens, str(config.run))
    tokeniser = tokeniser_of(record.settings(), config.run / "tokenizer.json", max_tokens)
    texts = load_texts(config.data, config.text_column)
    rows = _rows(config, len(texts))
    config.output.mkdir(parents=True, exist_ok=True)
    torch.set_flush_denormal(True)
    for number, start in enumerate(range(0, len(rows), PART_ROWS)):
        part = config.output / f"{number:05}.parquet"
        if not part.exists():
            chosen = rows[start : start + PART_ROWS]
            encoded = tokeniser.encode([texts[row] for row in chosen])
            Judgement(chosen, _logits(model, encoded, record.pad_id)).write(part)
    return len(rows)


def _rows(config: LabelConfig, texts: int) -> NDArray[np.int64]:
    """Return the rows to label, in order."""
    if config.unsure is None:
        return np.arange(texts)[: config.limit]
    other = Judgement.read(config.unsure)
    return np.sort(other.rows[softmax(other.logits).max(axis=1) < config.below])[: config.limit]


@torch.inference_mode()
def _logits(model: torch.nn.Module, encoded: Sequence[Encoded], pad_id: int) -> NDArray[np.float32]:
    found: dict[int, NDArray[np.float32]] = {}
    for group in micro_batches(encoded, TOKEN_BUDGET):
        ids, mask = pad([encoded[index] for index in group], pad_id)
        answers = model(torch.from_numpy(ids).to(DEVICE), torch.from_numpy(mask).to(DEVICE))
        logits = answers["logits"].cpu().numpy()
        found.update(zip(group, logits, strict=True))
    return np.stack([found[index] for index in range(len(encoded))])
