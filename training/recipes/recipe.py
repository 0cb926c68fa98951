"""A recipe: the steps from labelled reviews to a model that a worker loads, in one YAML file.

A file with `steps:` lists them. Any other file is one training run, and `export:` in it exports a model of the run.
`training.recipes.steps` runs the steps.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.errors import TrainingError
from training.recipes.options import (
    DomainsConfig,
    EmbedderConfig,
    Folders,
    NgramConfig,
    PretrainConfig,
    RowsConfig,
    TemplatesConfig,
    TrainConfig,
)
from training.recipes.reading import Override, checked, lay_over, parse_override, read_values


class LabelConfig(BaseModel):
    """The texts that a trained network labels, for the step and for `verdict label`.

    With `unsure`, predictions of another model, only the rows are labelled that it gives a top probability less than
    `below`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Path
    data: str
    output: Path
    checkpoint: Path | None = None
    text_column: str | None = None
    max_tokens: int | None = Field(None, ge=8)
    unsure: Path | None = None
    below: float = Field(0.95, gt=0, le=1)
    limit: int | None = Field(None, gt=0)


class ExportConfig(BaseModel):
    """The model to export and the data to measure it on, for the step and for `verdict export`.

    Without a checkpoint the best weights of the run are exported. `max_tokens` may exceed that of the training: a mean
    over token states works with any length.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Folders = Field(
        min_length=1, description="folder of a training run; of a list of runs, the mean of their weights is exported"
    )
    target: Path = Field(description="models/<name>/<version>; the next free number if it ends in a name")
    precision: Literal["int8", "float32"] = "int8"
    checkpoint: Path | None = None
    golden: Path | None = Field(None, description="YAML list of sentences that the model must classify correctly")
    max_tokens: int | None = Field(None, ge=8)
    neutral: list[RowsConfig] = Field(
        default_factory=list,
        description="neutral texts; a model of two labels can then predict neutral on request",
    )
    domains: DomainsConfig | None = Field(None, description="labelled rows of many kinds, measured by kind and length")
    settle_from: int = Field(0, ge=0, description="tokens from which on the n-grams may classify alone")
    language: str | None = Field(None, pattern="^[a-z]{2}$", description="warn of texts in other languages")
    ngrams: Path | None = Field(None, description="folder of `verdict ngram`, the first stage of the model")
    embedder: Path | None = Field(None, description="folder of `verdict embedder`, for similar reviews")
    token_budget: int = Field(1280, gt=0, description="padded tokens of a micro-batch")
    threads: int = Field(2, gt=0, description="CPU threads of the measurements")
    test: list[str] = Field(default_factory=list, description="labelled data that the model is measured on")

    @model_validator(mode="after")
    def _one_checkpoint(self) -> "ExportConfig":
        if self.checkpoint and len(self.run) > 1:
            raise ValueError("a checkpoint is of one run; give its run alone, or no checkpoint")
        return self


KINDS: Mapping[str, type[BaseModel]] = {
    "templates": TemplatesConfig,
    "pretrain": PretrainConfig,
    "ngram": NgramConfig,
    "train": TrainConfig,
    "label": LabelConfig,
    "embedder": EmbedderConfig,
    "export": ExportConfig,
}


@dataclass(frozen=True, slots=True)
class RecipeStep:
    """One step; its settings have the class in `KINDS` for its kind."""

    kind: str
    config: Any


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> list[RecipeStep]:
    """Read a recipe, apply overrides and validate every step, so that a typing error is found before hours of work.

    In a recipe with steps, `key=value` applies to every step that has the key, and `kind.key=value` to steps of that
    kind; both override the settings of the step. Keys beside `steps:` are defaults of the steps.
    """
    values = read_values(path)
    laid = [parse_override(item) for item in overrides]
    if "steps" in values:
        return _listed(values.pop("steps"), values, laid)
    for keys, value in laid:
        # A recipe of one run has no part `train`, so that `train.epochs=2` is `epochs=2`.
        lay_over(values, keys[1:] if len(keys) > 1 and keys[0] == "train" else keys, value)
    export = values.pop("export", None)
    run = checked(TrainConfig, values)
    if export is None:
        return [RecipeStep("train", run)]
    made = {"run": run.output, **_mapping("export", export)}
    return [RecipeStep("train", run), RecipeStep("export", _checked("export", made))]


def _listed(steps: object, shared: dict[str, Any], overrides: Sequence[Override]) -> list[RecipeStep]:
    if not isinstance(steps, list) or not steps:
        raise TrainingError("steps: must be a list of kinds, each with its settings.")
    for key in [*shared, *(keys[0] for keys, _ in overrides if not _of_kind(keys))]:
        if key == "output" or not any(key in kind.model_fields for kind in KINDS.values()):
            raise TrainingError(f"{key}: not a setting that steps share.")
    return [_step(place, item, shared, overrides) for place, item in enumerate(steps, start=1)]


def _step(place: int, item: object, shared: Mapping[str, Any], overrides: Sequence[Override]) -> RecipeStep:
    if not isinstance(item, dict) or len(item) != 1 or next(iter(item)) not in KINDS:
        raise TrainingError(f"Step {place} must be one of {', '.join(KINDS)}, with its settings.")
    [(kind, given)] = item.items()
    own = {"config": given} if isinstance(given, str) else _mapping(f"step {place}", given)
    known = KINDS[kind].model_fields
    base = read_values(Path(own.pop("config"))) if "config" in own else {}
    values = deepcopy(base | {key: value for key, value in shared.items() if key in known} | own)
    for keys, value in overrides:
        if _of_kind(keys):
            if keys[0] == kind:
                lay_over(values, keys[1:], value)
        elif keys[0] in known:
            lay_over(values, keys, value)
    return RecipeStep(kind, _checked(kind, values, f"step {place}, "))


def _of_kind(keys: Sequence[str]) -> bool:
    return len(keys) > 1 and keys[0] in KINDS


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TrainingError(f"{name}: must hold key: value lines.")
    return dict(value)


def _checked(kind: str, values: dict[str, Any], place: str = "") -> BaseModel:
    try:
        return checked(KINDS[kind], values)
    except TrainingError as exc:
        raise TrainingError(f"{place}{kind}.{exc}") from exc
