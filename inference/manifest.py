"""The manifest of a model folder: every field and the sha256 of every file, checked when it is read.

A folder is immutable: another model is another version.
"""

import hashlib
import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from inference.classifier import ModelInfo

FORMAT = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
# The operating point that any model of two stages has: the network reads every review.
FULL = "full"


class ModelError(Exception):
    """A model folder cannot be served; the message is one sentence that names the folder."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class Calibration(_Part):
    """Logits are divided by `temperature` before the softmax."""

    temperature: float = Field(gt=0, allow_inf_nan=False)


class Golden(_Part):
    """A sentence that any fit model must judge right."""

    text: str
    sentiment: str


class StageFigures(_Part):
    """The share of the reviews that a stage answered, and how many of those it answered right."""

    share: float
    accuracy: float


class Metrics(_Part):
    """Figures of one evaluation and what they were measured on, `point` and `stages` in models of two stages."""

    dataset: str
    split: str
    date: str
    n: int
    accuracy: float
    point: str | None = None
    stages: dict[str, StageFigures] = {}


class Batching(_Part):
    """Padded tokens a micro-batch may hold, and how far batch-mates may move a probability (largest seen in `n`)."""

    token_budget: int = Field(gt=0)
    largest_probability_change: float
    n: int


class Stack(_Part):
    """How calibrated logits of both stages are joined: `network_weight * network + ngram_weight * ngram + bias`.

    `bias` holds one number a label.
    """

    network_weight: FiniteFloat
    ngram_weight: FiniteFloat
    bias: list[FiniteFloat]


class Cascade(_Part):
    """The first stage's file, how its logits join the network's, and from which confidence on it answers alone.

    `stacks[i]` holds for reviews of at most `lengths[i]` tokens, the last one for longer ones. Reviews shorter than
    `settle_from` tokens are never left to the n-grams: the network costs little there, and they are often wrong.
    """

    ngrams: str
    settle_from: int = 0
    lengths: list[int] = []
    stacks: list[Stack]
    points: dict[str, FiniteFloat]
    default: str

    @model_validator(mode="before")
    @classmethod
    def _one_stack(cls, values: Any) -> Any:
        """Read manifests before version 3 of the default model, which have the same weights for every length."""
        if isinstance(values, dict) and "stacks" not in values:
            stack = {name: values[name] for name in Stack.model_fields if name in values}
            return {name: value for name, value in values.items() if name not in stack} | {"stacks": [stack]}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "Cascade":
        if FULL in self.points:
            raise ValueError(f"{FULL} is the point at which no threshold applies")
        if self.default not in {*self.points, FULL}:
            raise ValueError(f"the default point {self.default} is none of the points")
        if len(self.stacks) != len(self.lengths) + 1 or sorted(self.lengths) != self.lengths:
            raise ValueError("stacks must be one more than lengths, which must ascend")
        return self

    def threshold(self, point: str | None) -> float:
        """Return the confidence from which the first stage settles a review, infinite at `full`; None: the default.

        Raises:
            ModelError: the model has no such point.
        """
        name = point or self.default
        if name == FULL:
            return math.inf
        if name not in self.points:
            raise ModelError(f"The operating point is one of {', '.join([*self.points, FULL])}, not {name}.")
        return self.points[name]


class Neutral(_Part):
    """The share of an answer that goes to `neutral` is logistic in `offset - slope * |log odds of the two labels|`."""

    slope: FiniteFloat = Field(gt=0)
    offset: FiniteFloat


class Manifest(_Part):
    """Everything a worker must know of a model; `files` maps each other file to its sha256.

    `symbols` says that emoji, emoticons and ratings are put into words; `truncation`, what is kept of a long review;
    `language`, an ISO 639-1 code, that of texts that it knows, if it is to warn of others; `neutral`, when an answer is
    neutral where that is asked for.
    """

    format: Literal[1]
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
    metrics: list[Metrics] = []
    domains: list[dict[str, Any]] = []
    lengths: list[dict[str, Any]] = []
    training: dict[str, Any] = {}

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
        """Return what results and metrics name."""
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
