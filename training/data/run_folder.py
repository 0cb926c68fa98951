"""The folder of one training run: its settings, tokenizer, weights and data split.

It holds `run.json`, `config.yaml` (the recipe), `train.log`, the tokenizer and `checkpoints/`. When training has ended
it also holds the network for plain transformers (`config.json`, `model.safetensors`), `mean_pooled/` (the same network
as it was trained), `loss.png`, `README.md` and, with test data, `metrics_test.json`.
"""

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.data.reviews import DataSource, Reviews, load_reviews, sample
from training.data.split import split_reviews
from training.errors import TrainingError
from training.recipes.options import DataConfig, RowsConfig, TrainConfig
from training.recipes.reading import checked

# Folder in a run that holds a mean-pooled network as it was trained. Its weights do not have the file name that
# transformers looks for: loaded into an architecture of transformers they would predict at random without an error.
MEAN_POOLED = "mean_pooled"
MEAN_POOLED_WEIGHTS = "weights.safetensors"
LIBRARIES = ("torch", "transformers", "datasets", "tokenizers", "accelerate", "numpy")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The command, settings and figures of a run; `result` is empty until training has ended."""

    command: str
    config: dict[str, Any]
    labels: list[str]
    pad_id: int
    rows: dict[str, int]
    libraries: dict[str, str]
    result: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write `run.json`."""
        (folder / "run.json").write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """Read `run.json`; raise `TrainingError` if the folder has none."""
        try:
            return cls(**json.loads((folder / "run.json").read_text(encoding="utf-8")))
        except (OSError, TypeError, json.JSONDecodeError) as exc:
            raise TrainingError(f"{folder} holds no training run (run.json is missing or unreadable).") from exc

    def settings(self) -> TrainConfig:
        """Return the configuration of the run."""
        return checked(TrainConfig, self.config)


def ended(config: TrainConfig) -> RunRecord | None:
    """Return the record of the run if it has ended; raise `TrainingError` if the folder is of another recipe."""
    if not (config.output / "run.json").exists():
        return None
    record = RunRecord.read(config.output)
    if not record.result and not begun(config):
        return None
    if _learnt(record.settings()) != _learnt(config):
        raise TrainingError(f"{config.output} holds a run of another recipe; use another output.")
    return record if record.result else None


def trained_weights(run: Path) -> Path:
    """Return the path of the trained weights of a run; the file may be missing."""
    own = run / MEAN_POOLED / MEAN_POOLED_WEIGHTS
    return own if own.parent.is_dir() else run / "model.safetensors"


def begun(config: TrainConfig) -> bool:
    """Return whether there are weights, even of an incomplete checkpoint."""
    return any(config.output.glob("checkpoints/checkpoint-*")) or trained_weights(config.output).exists()


def _learnt(config: TrainConfig) -> dict[str, Any]:
    """Return the settings that influence the weights."""
    return config.model_dump(exclude={"threads", "checkpoint_minutes"})


def load_split(config: DataConfig) -> tuple[Reviews, Reviews]:
    """Return the (training, validation) reviews of a run, the same rows each time, for training and calibration."""
    training, validation = _learnt_and_validation(config)
    return _without_test(config, training)[0], validation


def load_validation(config: DataConfig) -> Reviews:
    """Return the validation reviews of a run, without reading the files that it only trains on."""
    return _with(_split(config)[1], config.validation, config.split_seed)


def load_test(config: TrainConfig) -> Reviews | None:
    """Return the reviews for the final test figures: a separate data set, or held-out rows; None without either."""
    if not (config.test or config.test_size):
        return None
    training, _ = _learnt_and_validation(config)
    if config.test:
        return load_reviews(
            DataSource(config.test, "test", config.text_column, config.label_column, names=training.names)
        )
    return _without_test(config, training)[1]


def _learnt_and_validation(config: DataConfig) -> tuple[Reviews, Reviews]:
    training, validation = _split(config)
    kept = sample(training, round(config.keep * len(training)), config.split_seed)
    return _with(kept, config.more, config.split_seed), _with(validation, config.validation, config.split_seed)


def _split(config: DataConfig) -> tuple[Reviews, Reviews]:
    main = DataSource(
        config.data,
        config.split,
        config.text_column,
        config.label_column,
        config.group_column,
        config.labels,
        config.label_map,
        config.only,
        config.without,
    )
    reviews = sample(load_reviews(main), config.limit, config.split_seed)
    return split_reviews(reviews, config.validation_size, config.split_seed)


def _with(reviews: Reviews, more: Sequence[RowsConfig], seed: int) -> Reviews:
    """Return the reviews and the rows of further files, which have no groups."""
    texts, labels, dropped = list(reviews.texts), list(reviews.labels), reviews.dropped
    for rows in more:
        source = DataSource(
            rows.data,
            text_column=rows.text_column,
            label_column=rows.label_column,
            names=reviews.names,
            only=rows.only,
            without=rows.without,
        )
        found = sample(load_reviews(source), rows.limit, seed)
        texts += found.texts * rows.repeat
        labels += found.labels * rows.repeat
        dropped += found.dropped
    groups = reviews.groups + [""] * (len(texts) - len(reviews)) if reviews.groups else []
    return Reviews(texts, labels, reviews.names, groups, dropped)


def _without_test(config: DataConfig, training: Reviews) -> tuple[Reviews, Reviews | None]:
    if not config.test_size:
        return training, None
    return split_reviews(training, config.test_size, config.split_seed + 1)


def write_config(config: TrainConfig) -> None:
    """Write the recipe with every setting as `config.yaml`, from which `verdict train` repeats the run."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (config.output / "config.yaml").write_text(text, encoding="utf-8")


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that influence the weights."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}
