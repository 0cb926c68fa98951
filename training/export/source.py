"""The inputs of an export, checked and read: runs, reviews, golden set, and the folders of n-grams and embedder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError
from tokenizers import Tokenizer

from inference.classifier import ModelInfo
from inference.manifest import TOKENIZER, Golden
from inference.tokenizer import ReviewTokenizer
from training.data.reviews import DataSource, Reviews, load_reviews, short_name
from training.data.run_folder import MEAN_POOLED, RunRecord, load_split
from training.errors import TrainingError
from training.export.fit_cascade import NGRAMS
from training.learn.architecture import check_max_tokens
from training.learn.model import trained_config
from training.learn.preprocessing import tokeniser_of
from training.recipes.options import PreprocessingConfig, TrainConfig
from training.recipes.recipe import ExportConfig

EMBEDDER = "embedder.npz"
# Settings that runs must share to be averaged: otherwise they hold out other reviews, or read texts in another way.
SHARED = (
    "data",
    "split",
    "text_column",
    "label_column",
    "group_column",
    "labels",
    "label_map",
    "limit",
    "only",
    "without",
    "validation",
    "validation_size",
    "test_size",
    "split_seed",
    "symbols",
)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Labelled reviews that were not trained on, and their name in the manifest."""

    dataset: str
    split: str
    reviews: Reviews


@dataclass(frozen=True, slots=True)
class Source:
    """The inputs of an export. `record` and `settings` are those of the first run.

    `validation` serves to fit temperature and thresholds; `tests` are measured only.
    """

    config: ExportConfig
    record: RunRecord
    settings: TrainConfig
    golden: list[Golden]
    training: Reviews
    validation: HeldOut
    tests: list[HeldOut]

    def tokeniser(self) -> ReviewTokenizer:
        """Return the tokenizer of the exported model."""
        path = self.config.run[0] / TOKENIZER
        return tokeniser_of(self.settings, path, self.config.max_tokens, self.config.ngrams)

    def info(self, precision: str) -> ModelInfo:
        """Return the identity of the network, not calibrated yet."""
        return ModelInfo(
            name=self.config.target.parent.name,
            version=self.config.target.name,
            precision=precision,
            labels=tuple(self.record.labels),
            max_tokens=self.config.max_tokens or self.settings.max_tokens,
            backend="onnx",
            stage="transformer",
            temperature=1.0,
        )


def check(config: ExportConfig) -> RunRecord:
    """Check everything that needs no reviews, and return the record of the first run.

    Raises:
        TrainingError: the target exists, or a run, the golden set, the n-grams or the embedder cannot be used.
    """
    if config.target.exists():
        raise TrainingError(f"{config.target} exists, and a version never changes; give another version.")
    first, *others = records = [RunRecord.read(run) for run in config.run]
    for run, record in zip(config.run, records, strict=True):
        _check_run(run, record.settings(), config.max_tokens)
    for run, record in zip(config.run[1:], others, strict=True):
        _check_same(config.run[0], first, run, record)
    _golden(config.golden)
    for folder, name in parts(config):
        if not (folder / name).is_file():
            raise TrainingError(f"{folder} holds no {name}.")
    for folder, name in parts(config):
        _check_same_tokens(config.run[0], folder, f"fit {name} with the base model of the run")
    return first


def read_source(config: ExportConfig, record: RunRecord) -> Source:
    """Read the reviews of an export that `check` has passed."""
    settings = record.settings()
    training, validation = load_split(settings)
    dataset = " + ".join(short_name(data) for data in (settings.data, *(rows.data for rows in settings.validation)))
    tests = [
        HeldOut(short_name(place), "test", load_reviews(DataSource(place, "test", names=record.labels)))
        for place in config.test
    ]
    held_out = HeldOut(dataset, "validation", validation)
    return Source(config, record, settings, _golden(config.golden), training, held_out, tests)


def parts(config: ExportConfig) -> Iterator[tuple[Path, str]]:
    """Yield the folder and the file name of n-grams and embedder, if given."""
    for folder, name in ((config.ngrams, NGRAMS), (config.embedder, EMBEDDER)):
        if folder:
            yield folder, name


def _check_run(run: Path, settings: TrainConfig, max_tokens: int | None) -> None:
    if settings.preprocessing != PreprocessingConfig():
        raise TrainingError(f"{run} was trained with a preprocessing that a worker does not apply.")
    if (run / "config.json").is_file() or (run / MEAN_POOLED).is_dir():
        check_max_tokens(trained_config(run), max_tokens or settings.max_tokens, str(run))


def _check_same(first: Path, record: RunRecord, other: Path, theirs: RunRecord) -> None:
    """Raise `TrainingError` if two runs cannot be averaged, or their mean could not be calibrated."""
    if record.labels != theirs.labels:
        raise TrainingError(f"{first} and {other} have other labels; the mean of their weights is no model.")
    mine, its = record.settings(), theirs.settings()
    differing = [name for name in SHARED if getattr(mine, name) != getattr(its, name)]
    if bool(mine.sentences) != bool(its.sentences):
        differing.append("sentences")
    if differing:
        raise TrainingError(
            f"{first} and {other} differ in {', '.join(differing)}; averaged runs must hold out the same reviews and "
            "read texts in the same way."
        )
    _check_same_tokens(first, other, "train both with the same base model")


def _check_same_tokens(first: Path, other: Path, advice: str) -> None:
    for folder in (first, other):
        if not (folder / TOKENIZER).is_file():
            raise TrainingError(f"{folder} holds no {TOKENIZER}.")
    if _tokenizer(first) != _tokenizer(other):
        raise TrainingError(f"The tokenizers of {first} and {other} differ; {advice}.")


def _tokenizer(folder: Path) -> str:
    """Return the tokenizer as JSON, without its limits of length, which have no effect here."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer.to_str()


def _golden(path: Path | None) -> list[Golden]:
    if path is None:
        return []
    try:
        return TypeAdapter(list[Golden]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as exc:
        raise TrainingError(f"{path} is not a readable list of text and sentiment.") from exc
