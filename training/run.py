"""The folder of one training run: what it was told, its tokenizer and weights, and the split it used.

Written by `training.train`, read by `training.export`; holds `run.json`, `config.json` (the encoder's),
`tokenizer.json`, `checkpoints/` and, when training has ended, `model.safetensors`.
"""

import importlib.metadata
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.config import DataConfig, TrainConfig
from training.data import Reviews, Source, load_reviews, sample, split_reviews
from training.errors import TrainingError

LIBRARIES = ("torch", "transformers", "datasets", "tokenizers", "accelerate", "numpy")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a reader needs to repeat a run, and how it went; `result` is empty until training has ended."""

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
        """Read `run.json`; a folder without one is no run."""
        try:
            return cls(**json.loads((folder / "run.json").read_text(encoding="utf-8")))
        except (OSError, TypeError, json.JSONDecodeError) as exc:
            raise TrainingError(f"{folder} holds no training run (run.json is missing or unreadable).") from exc

    def settings(self) -> TrainConfig:
        """Return the run's configuration."""
        return TrainConfig.model_validate(self.config)


def load_split(config: DataConfig) -> tuple[Reviews, Reviews]:
    """Return the run's (training, validation) reviews: the same rows each time, for training and calibration."""
    reviews = load_reviews(
        Source(config.data, config.split, config.text_column, config.label_column, config.group_column, config.labels)
    )
    return split_reviews(sample(reviews, config.limit, config.split_seed), config.validation_size, config.split_seed)


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that shape the weights."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}
