"""The folder of one training run: what it was told, its tokenizer and weights, and the split it used.

Written by `training.train`, read by `training.export`; holds `run.json`, `config.json` (the encoder's),
`tokenizer.json`, `checkpoints/` and, when training has ended, `model.safetensors`.
"""

import importlib.metadata
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.config import DataConfig, TrainConfig, checked
from training.data import Reviews, Source, load_reviews, sample
from training.errors import TrainingError
from training.split import split_reviews

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
        return checked(TrainConfig, self.config)


def ended(config: TrainConfig) -> RunRecord | None:
    """Return the record of a run that has ended; a folder with checkpoints of another recipe is refused."""
    if not (config.output / "run.json").exists():
        return None
    record = RunRecord.read(config.output)
    if not record.result and not begun(config):
        return None
    if _learnt(record.settings()) != _learnt(config):
        raise TrainingError(f"{config.output} holds a run of another recipe; use another output.")
    return record if record.result else None


def begun(config: TrainConfig) -> bool:
    """Say whether there are weights, be it of a checkpoint half written."""
    return any(config.output.glob("checkpoints/checkpoint-*")) or (config.output / "model.safetensors").exists()


def _learnt(config: TrainConfig) -> dict[str, Any]:
    """Return the settings that shape the weights."""
    return config.model_dump(exclude={"threads", "checkpoint_minutes"})


def load_split(config: DataConfig) -> tuple[Reviews, Reviews]:
    """Return the run's (training, validation) reviews: the same rows each time, for training and calibration."""
    reviews = load_reviews(
        Source(
            config.data,
            config.split,
            config.text_column,
            config.label_column,
            config.group_column,
            config.labels,
            config.label_map,
        )
    )
    return split_reviews(sample(reviews, config.limit, config.split_seed), config.validation_size, config.split_seed)


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that shape the weights."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}
