"""Fine-tune a pretrained encoder on labelled reviews and keep the best checkpoint by validation F1."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import EvalPrediction, PrinterCallback, Trainer, TrainingArguments

from inference.classifier import softmax
from inference.tokenizer import ReviewTokenizer
from training.data.reviews import Reviews
from training.data.run_folder import RunRecord, library_versions, load_split, load_test, write_config
from training.data.soft_targets import Examples, examples, focused, true_labels
from training.errors import TrainingError
from training.export.saved import save_network, save_network_config
from training.learn.clock import CheckpointClock
from training.learn.losses import build_loss
from training.learn.model import Network, load_base, save_tokenizer
from training.learn.outcome import save_outcome
from training.learn.preprocessing import tokeniser_of
from training.learn.trainer_log import RunLog
from training.learn.weights import start_from
from training.metrics import Scores, score
from training.recipes.options import TrainConfig
from training.run_log import LOG, log_file


def train(config: TrainConfig, *, resume: bool = False, command: str = "verdict train") -> RunRecord:
    """Run or resume one training and return its record; `command` is recorded as the way to repeat it."""
    last = _last_checkpoint(config)
    if last and not resume:
        raise TrainingError(f"{config.output} already holds a run; use --resume or another output.")
    config.output.mkdir(parents=True, exist_ok=True)
    with log_file(config.output / "train.log"):
        LOG.info("%s", command)
        try:
            return _train(config, last, command)
        except TrainingError as exc:
            LOG.debug("failed: %s", exc)  # the command line prints it
            raise


def _train(config: TrainConfig, last: Path | None, command: str) -> RunRecord:
    _prepare_torch(config)
    training, validation = load_split(config)
    test = load_test(config)
    if config.focus:
        training = focused(config.focus, training, config.seed)
    pad_id = save_tokenizer(config.base_model, config.output)
    model = load_base(config, training.names)
    if config.start:
        start_from(model, config.start)
    save_network_config(model, config.output)
    write_config(config)
    record = _record(config, command, pad_id, training, validation)
    record.write(config.output)
    trainer = _trainer(config, model, pad_id, training, validation)
    LOG.info("%d labelled reviews for training, %d for validation", len(training), len(validation))
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    speed = (trainer.state.global_step - (_step(last) if last else 0)) * config.batch_size / (time.monotonic() - began)
    save_network(model, training.names, config.output)  # the Trainer has put the best weights back into it
    figures = None if test is None else _tested(trainer, test, tokeniser_of(config, config.output / "tokenizer.json"))
    return save_outcome(config, trainer.state, record, speed, figures)


def _tested(trainer: Trainer, test: Reviews, tokeniser: ReviewTokenizer) -> Scores:
    """Return the figures on reviews that were used neither for training nor to choose the checkpoint."""
    prediction = trainer.predict(_tokenised(true_labels(test, smoothing=0.0), tokeniser))
    return score(np.asarray(test.labels), softmax(np.asarray(prediction.predictions)), test.names)


def _last_checkpoint(config: TrainConfig) -> Path | None:
    """Return the newest complete checkpoint; the Trainer writes its state last, so an interrupted one has none."""
    whole = (config.output / "checkpoints").glob("checkpoint-*/trainer_state.json")
    return max((state.parent for state in whole), key=_step, default=None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def _prepare_torch(config: TrainConfig) -> None:
    torch.manual_seed(config.seed)
    if config.threads:
        torch.set_num_threads(config.threads)
    # Denormal numbers are computed in microcode, some hundred times slower.
    torch.set_flush_denormal(True)


def _record(config: TrainConfig, command: str, pad_id: int, training: Reviews, validation: Reviews) -> RunRecord:
    return RunRecord(
        command=command,
        config=config.model_dump(mode="json"),
        labels=training.names,
        pad_id=pad_id,
        rows={"training": len(training), "validation": len(validation), "dropped": training.dropped},
        libraries=library_versions(),
    )


def _trainer(config: TrainConfig, model: Network, pad_id: int, training: Reviews, validation: Reviews) -> Trainer:
    tokeniser = tokeniser_of(config, config.output / "tokenizer.json")
    rows = _tokenised(examples(config, training), tokeniser)
    counts = np.bincount(training.labels, minlength=len(training.names)).tolist()
    model.loss = build_loss(config.loss, counts, float(np.median(rows["tokens"])))
    trainer = Trainer(
        model=model,
        args=_arguments(config, len(rows)),
        train_dataset=rows,
        eval_dataset=_tokenised(true_labels(validation, smoothing=0.0), tokeniser),
        data_collator=lambda rows: _collate(rows, pad_id),
        compute_metrics=lambda prediction: _metrics(prediction, training.names),
        callbacks=[CheckpointClock(config.checkpoint_minutes), RunLog()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _tokenised(learnt: Examples, tokeniser: ReviewTokenizer) -> Dataset:
    """Tokenise all texts before the first step; the Trainer groups by `length`, `tokens` counts the whole review."""
    reviews = tokeniser.encode(learnt.texts)
    columns = {
        "input_ids": [list(review.ids) for review in reviews],
        "labels": learnt.targets.tolist(),
        "length": [len(review.ids) for review in reviews],
        "tokens": [review.tokens for review in reviews],
    }
    return Dataset.from_dict(columns)


def _collate(rows: Sequence[dict[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
    ids = [torch.tensor(row["input_ids"]) for row in rows]
    mask = [torch.ones_like(row) for row in ids]
    return {
        "input_ids": torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad_id),
        "attention_mask": torch.nn.utils.rnn.pad_sequence(mask, batch_first=True),
        "labels": torch.tensor([row["labels"] for row in rows]),
        "tokens": torch.tensor([row["tokens"] for row in rows]),
    }


def _metrics(prediction: EvalPrediction, names: list[str]) -> dict[str, float]:
    truth = np.asarray(prediction.label_ids).argmax(axis=1)
    scores = score(truth, softmax(np.asarray(prediction.predictions)), names)
    return {
        "accuracy": scores.accuracy,
        "precision": scores.macro_precision,
        "recall": scores.macro_recall,
        "f1": scores.macro_f1,
        "ece": scores.ece,
    }


def _arguments(config: TrainConfig, rows: int) -> TrainingArguments:
    gpu = torch.cuda.is_available()
    bf16 = config.bf16 or (gpu and torch.cuda.is_bf16_supported())
    # Rounded up: the Trainer always evaluates after the last step.
    steps = math.ceil(math.ceil(rows / config.batch_size) * config.epochs / config.evaluations)
    return TrainingArguments(
        output_dir=str(config.output / "checkpoints"),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup,
        # Reviews of similar length share a batch, which avoids padding.
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        eval_strategy="steps",
        eval_steps=steps,
        save_steps=steps,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=not gpu,
        bf16=bf16,
        fp16=gpu and not bf16,
        logging_steps=max(1, steps // 10),
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=gpu,
    )
