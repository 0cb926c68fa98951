"""Continue the masked-language training of a base model on reviews, labelled or not, before it is fine-tuned.

The resulting folder is a `base_model` for `verdict train`. Gururangan et al. 2020, "Don't Stop Pretraining", gained
half a point on these reviews with a model 12 times as large.
"""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedTokenizerBase

from inference.tokenizer import NO_LIMIT, ReviewTokenizer
from training.data.reviews import load_texts
from training.data.run_folder import load_split
from training.errors import TrainingError
from training.learn.architecture import check_max_tokens
from training.learn.masked import MaskedLanguageModel, Masking, cut, order
from training.learn.model import base_config, load_encoder, load_tokenizer, save_tokenizer
from training.recipes.options import PretrainConfig

HELD_OUT_WINDOWS = 512
LOG_STEPS = 50


def pretrain(config: PretrainConfig, *, resume: bool = False) -> dict[str, object]:
    """Train, or resume from the last checkpoint, and write encoder, tokenizer and figures to `config.output`."""
    checkpoint = config.output / "checkpoint.pt"
    if checkpoint.exists() and not resume:
        raise TrainingError(f"{config.output} already holds a run; use --resume or another output.")
    config.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    tokenizer = load_tokenizer(config.base_model)
    save_tokenizer(config.base_model, config.output)
    check_max_tokens(base_config(config.base_model), config.max_tokens, config.base_model)
    windows, held_out = _windows(config)
    model = MaskedLanguageModel(load_encoder(config.base_model, config.dropout))
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    model.encoder.get_input_embeddings().requires_grad_(not config.freeze_embeddings)
    masking = _masking(config, tokenizer, model)
    before = _held_out_loss(model, masking, held_out, config)
    seconds = _learn(config, model, masking, windows)
    figures = {
        "windows": len(windows),
        "steps": _steps(config, len(windows)),
        "seconds": round(seconds),
        "held_out_loss": {
            "before": round(before, 4),
            "after": round(_held_out_loss(model, masking, held_out, config), 4),
        },
    }
    model.encoder.save_pretrained(config.output)
    tokenizer.save_pretrained(config.output)
    record = {"config": config.model_dump(mode="json"), **figures}
    (config.output / "pretrain.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return figures


def _windows(config: PretrainConfig) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]]:
    """Return the windows for training, and some windows of the validation reviews for measuring."""
    training, validation = load_split(config)
    texts = training.texts + [text for path in config.unlabelled for text in load_texts(path)]
    tokeniser = ReviewTokenizer(config.output / "tokenizer.json", NO_LIMIT)
    learn = [window for ids in tokeniser.encode(texts) for window in cut(ids.ids, config.max_tokens)]
    measure = [window for ids in tokeniser.encode(validation.texts) for window in cut(ids.ids, config.max_tokens)]
    return learn, measure[:: max(1, len(measure) // HELD_OUT_WINDOWS)]


def _masking(config: PretrainConfig, tokenizer: PreTrainedTokenizerBase, model: MaskedLanguageModel) -> Masking:
    if tokenizer.mask_token_id is None:
        raise TrainingError(f"{config.base_model} has no mask token to hide words with.")
    return Masking(
        share=config.mask_share,
        mask_id=int(tokenizer.mask_token_id),
        pad_id=int(tokenizer.pad_token_id or 0),
        special=frozenset(tokenizer.all_special_ids),
        vocabulary=int(model.encoder.config.vocab_size),
    )


def _steps(config: PretrainConfig, windows: int) -> int:
    return math.ceil(windows / config.batch_size * config.epochs)


def _learn(
    config: PretrainConfig, model: MaskedLanguageModel, masking: Masking, windows: list[NDArray[np.int32]]
) -> float:
    """Run the steps after the checkpoint, and return the seconds it took."""
    model.train()
    device = model.bias.device
    optimiser = _optimiser(config, model)
    steps, checkpoint = _steps(config, len(windows)), config.output / "checkpoint.pt"
    started = _restore(checkpoint, model, optimiser, device)
    began = saved = time.monotonic()
    losses: list[float] = []
    for step, chosen in enumerate(order([len(window) for window in windows], config.batch_size, steps, config.seed)):
        if step < started:
            continue
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * _rate(step, steps, config.warmup)
        torch.manual_seed(config.seed + step)  # so that dropout, if any, is the same after a resume
        batch = masking.batch([windows[index] for index in chosen], np.random.default_rng([config.seed, 1, step]))
        losses.append(_step(model, optimiser, [array.to(device) for array in batch]))
        if time.monotonic() - saved > config.checkpoint_minutes * 60 or step + 1 == steps:
            _save(checkpoint, model, optimiser, step + 1)
            saved = time.monotonic()
        if (step + 1) % LOG_STEPS == 0:
            _log(config, step + 1, steps, losses[-LOG_STEPS:], (time.monotonic() - began) / (step + 1 - started))
    return time.monotonic() - began


def _rate(step: int, steps: int, warmup: float) -> float:
    """Return the factor of the learning rate at a step: a linear warm-up, then a linear decay to zero."""
    rising = max(1, round(steps * warmup))
    return (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising)


def _optimiser(config: PretrainConfig, model: MaskedLanguageModel) -> torch.optim.AdamW:
    learning = [value for value in model.parameters() if value.requires_grad]
    groups = [
        {"params": [value for value in learning if value.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [value for value in learning if value.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def _step(model: MaskedLanguageModel, optimiser: torch.optim.AdamW, batch: Sequence[torch.Tensor]) -> float:
    with torch.autocast(batch[0].device.type, dtype=torch.bfloat16, enabled=batch[0].is_cuda):
        loss = model(*batch)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    return float(loss.detach())


def _save(path: Path, model: MaskedLanguageModel, optimiser: torch.optim.AdamW, step: int) -> None:
    scratch = path.with_suffix(".part")
    torch.save({"step": step, "model": model.state_dict(), "optimiser": optimiser.state_dict()}, scratch)
    scratch.rename(path)


def _restore(path: Path, model: MaskedLanguageModel, optimiser: torch.optim.AdamW, device: torch.device) -> int:
    """Load a checkpoint, if there is one, and return the next step."""
    if not path.exists():
        return 0
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _log(config: PretrainConfig, step: int, steps: int, losses: Sequence[float], seconds: float) -> None:
    line = {"step": step, "of": steps, "loss": round(float(np.mean(losses)), 4), "seconds_a_step": round(seconds, 3)}
    with (config.output / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


@torch.inference_mode()
def _held_out_loss(
    model: MaskedLanguageModel, masking: Masking, windows: Sequence[NDArray[np.int32]], config: PretrainConfig
) -> float:
    """Return the mean loss in nats on windows of validation reviews, with the same hidden tokens each time."""
    model.eval()
    losses = []
    for number, start in enumerate(range(0, len(windows), config.batch_size)):
        rng = np.random.default_rng([config.seed, 2, number])
        batch = masking.batch(windows[start : start + config.batch_size], rng)
        losses.append(float(model(*[array.to(model.bias.device) for array in batch])))
    return float(np.mean(losses))
