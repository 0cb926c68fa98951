"""The manifest of a model folder: every field, and the sha256 of every file, is checked when it is read.

A folder never changes: a changed model is a new version.
"""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from inference.classifier import ModelInfo
from inference.figures import GroupFigures, Metrics, Training
from inference.stages import Cascade, Neutral, Part

FORMAT: Literal[1] = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"


class ModelError(Exception):
    """A model folder cannot be served; the message is one sentence that names the folder."""


class Calibration(Part):
    """Logits are divided by `temperature` before the softmax; `fitted_on` names the data set of the fit."""

    temperature: float = Field(gt=0, allow_inf_nan=False)
    fitted_on: str = ""


class Golden(Part):
    """A sentence that the model must classify as `sentiment`, or it is not served."""

    text: str
    sentiment: str


class Batching(Part):
    """The padded tokens of a micro-batch, and the effect of other reviews in the batch, measured on `n` reviews.

    The effect is the largest and the mean change of a probability, and the number of changed labels.
    """

    token_budget: int = Field(gt=0)
    n: int
    largest_probability_change: float
    mean_probability_change: float = 0.0
    changed_verdicts: int = 0


class Manifest(Part):
    """All properties of a model that a worker needs; `files` maps each other file to its sha256.

    `symbols`: emoji, emoticons and ratings are replaced by words. `truncation`: the part of a long review that is kept.
    `language`: the ISO 639-1 code of the texts it was trained on; the model warns of texts in other languages.
    `neutral`: when a prediction is neutral, if that is requested.
    """

    format: Literal[1] = FORMAT
    name: str
    version: str
    created: datetime
    backend: str
    precision: str
    stage: str
    labels: list[str] = Field(min_length=2)
    max_tokens: int = Field(ge=4)
    truncation: Literal["head+tail", "sentences"]
    symbols: bool = False
    language: str | None = None
    neutral: Neutral | None = None
    pad_id: int = Field(ge=0)
    calibration: Calibration
    files: dict[str, str] = Field(min_length=1)
    golden: list[Golden]
    batching: Batching
    cascade: Cascade | None = None
    embedder: str | None = None
    metrics: list[Metrics] = Field(default_factory=list)
    domains: list[GroupFigures] = Field(default_factory=list)
    lengths: list[GroupFigures] = Field(default_factory=list)
    training: Training = Training()

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ")
        if any(Path(name).name != name for name in self.files):
            raise ValueError("files must be plain names in the model folder")
        if unknown := {item.sentiment for item in self.golden} - set(self.labels):
            raise ValueError(f"golden sentiments must be labels, not {min(unknown)}")
        if (self.cascade is None) == (self.backend == "cascade"):
            raise ValueError("the backend cascade and the part cascade need each other")
        if self.cascade and any(len(stack.bias) != len(self.labels) for stack in self.cascade.stacks):
            raise ValueError("each cascade bias must hold one number a label")
        if self.neutral and len(self.labels) != 2:
            raise ValueError("only a model of two labels can have neutral as a third")
        if self.truncation == "sentences" and not self.cascade:
            raise ValueError("the truncation sentences needs the n-grams of a cascade")
        parts = {self.cascade.ngrams if self.cascade else None, self.embedder} - {None}
        if missing := parts - set(self.files):
            raise ValueError(f"files must hold {', '.join(sorted(map(str, missing)))}")
        return self

    def info(self) -> ModelInfo:
        """Return the identity of the model, for results and metrics."""
        return ModelInfo(
            name=self.name,
            version=self.version,
            precision=self.precision,
            labels=tuple(self.labels),
            max_tokens=self.max_tokens,
            backend=self.backend,
            stage=self.stage,
            temperature=self.calibration.temperature,
        )


def load_manifest(model_dir: Path) -> Manifest:
    """Read and check a model folder: the format, every field, and the sha256 of every file (5 ms for 25 MB)."""
    manifest = _checked(model_dir, _read(model_dir))
    for name, digest in manifest.files.items():
        path = model_dir / name
        if not path.is_file():
            raise ModelError(f"The model in {model_dir} lacks its file {name}.")
        if file_digest(path) != digest:
            raise ModelError(f"The file {name} of the model in {model_dir} is corrupt: its sha256 differs.")
    return manifest


def file_digest(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(model_dir: Path) -> object:
    try:
        return json.loads((model_dir / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ModelError(f"There is no model in {model_dir}: {MANIFEST} is missing.") from exc
    except (OSError, ValueError) as exc:
        raise ModelError(f"The {MANIFEST} in {model_dir} is not readable JSON.") from exc


def _checked(model_dir: Path, values: object) -> Manifest:
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise ModelError(f"The model in {model_dir} has the unknown format {found!r}; this Verdict reads {FORMAT}.")
    try:
        return Manifest.model_validate(values)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "contents"
        raise ModelError(f"The {MANIFEST} in {model_dir} is not valid ({where}: {first['msg']}).") from exc
