"""Run the steps of a recipe in order; a step that has ended is not run again.

Each kind of step does the same as the command of that name.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from inference.manifest import load_manifest
from training.data.run_folder import RunRecord, begun, ended, trained_weights
from training.data.templates import write_sentences
from training.errors import TrainingError
from training.export.export_model import export
from training.export.saved import upgrade
from training.learn.architecture import check_max_tokens
from training.learn.fit_embedder import fit_embedder
from training.learn.fit_ngrams import fit_ngrams
from training.learn.label import label
from training.learn.model import base_config, load_trained
from training.learn.pretrain import pretrain
from training.learn.train import train
from training.recipes.options import EmbedderConfig, NgramConfig, PretrainConfig, TemplatesConfig, TrainConfig
from training.recipes.reading import checked
from training.recipes.recipe import ExportConfig, LabelConfig, RecipeStep
from training.recipes.registration import registered, versioned

Outcome = Mapping[str, Any]


def check(steps: Sequence[RecipeStep], *, resume: bool) -> None:
    """Raise `TrainingError` now for settings that would otherwise fail after hours of training."""
    made: set[str] = set()
    for config in (step.config for step in steps):
        if isinstance(config, TrainConfig | PretrainConfig) and config.base_model not in made:
            check_max_tokens(base_config(config.base_model), config.max_tokens, config.base_model)
        if isinstance(config, PretrainConfig):
            made.add(str(config.output))  # does not exist yet
        if isinstance(config, ExportConfig):
            _check_export(config, resume=resume)
        elif not resume and (begun(config) if isinstance(config, TrainConfig) else any(config.output.glob("*"))):
            raise TrainingError(f"{config.output} already holds a run; use --resume or another output.")


def _check_export(config: ExportConfig, *, resume: bool) -> None:
    if config.golden and not config.golden.is_file():
        raise TrainingError(f"There is no file {config.golden}.")
    if not resume and versioned(config.target).exists():
        raise TrainingError(f"{config.target} exists, and a version never changes; give another version.")


def run_step(step: RecipeStep, command: str) -> Outcome:
    """Run or resume one step and return its figures; `command` is recorded as the way to repeat it."""
    outcome: Outcome
    match step.config:
        case TemplatesConfig() as config:
            outcome = write_sentences(config)
        case PretrainConfig() as config:
            outcome = _recorded(config, "pretrain.json") or pretrain(config, resume=True)
        case NgramConfig() as config:
            outcome = _fitted(config) or fit_ngrams(config)
        case EmbedderConfig() as config:
            outcome = _recorded(config, "embedder.json") or fit_embedder(config)
        case TrainConfig() as config:
            outcome = asdict(_trained(config) or train(config, resume=True, command=command))
        case LabelConfig() as config:
            outcome = {"rows": label(config), "output": str(config.output)}
        case ExportConfig() as config:
            outcome = _register(config, command)
        case other:
            raise TypeError(other)
    return outcome


def _trained(config: TrainConfig) -> RunRecord | None:
    """Return the record of the run if it has ended; a folder of an earlier version is upgraded."""
    record = ended(config)
    if record and trained_weights(config.output).exists():
        upgrade(config.output, load_trained(config.output, len(record.labels)), record.labels)
    return record


def _recorded(config: NgramConfig | EmbedderConfig | PretrainConfig, name: str) -> Outcome | None:
    """Return the recorded figures of a step that has ended; raise `TrainingError` if they are of another recipe."""
    path = config.output / name
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    if checked(type(config), record.pop("config")) != config:
        raise TrainingError(f"{config.output} holds the result of another recipe; use another output.")
    figures: Outcome = record.get("validation", record)
    return figures


def _fitted(config: NgramConfig) -> Outcome | None:
    figures = _recorded(config, "ngrams.json")
    wanted = {"ngrams.npz": True, "training.parquet": config.cross_fit, "answers.parquet": config.judge}
    whole = all((config.output / name).exists() for name, needed in wanted.items() if needed)
    return figures if whole else None


def _register(config: ExportConfig, command: str) -> Outcome:
    """Export the model folder unless it exists already, and return its path and figures."""
    target = registered(config)
    if target is None:
        target = versioned(config.target)
        export(config.model_copy(update={"target": target}), command=command)
    return {
        "model": str(target),
        "metrics": load_manifest(target).model_dump(mode="json", exclude_none=True)["metrics"],
    }
