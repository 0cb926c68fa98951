"""Comparison of losses: the table, the plot, and that ended runs are not repeated."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from tests.training.conftest import recipe
from training.errors import TrainingError
from training.learn.experiment import experiment, plot, table
from training.recipes.options import ExperimentConfig

RESULTS = {
    "cross entropy": {"accuracy": [0.90, 0.92], "f1": [0.90, 0.92], "ece": [0.02, 0.04]},
    "other": {"accuracy": [0.91, 0.93], "f1": [0.91, 0.93], "ece": [0.03, 0.03]},
}


def test_the_table_takes_differences_seed_by_seed() -> None:
    *_, plain, other = table(RESULTS).splitlines()
    assert plain == "| cross entropy | 91.00 ± 1.41 | 91.00 ± 1.41 | 3.00 ± 1.41 |  |"
    assert other == "| other | 92.00 ± 1.41 | 92.00 ± 1.41 | 3.00 ± 0.00 | +1.00 ± 0.00 |"


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: make test")
    plot(RESULTS, tmp_path / "losses.png")
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


def test_each_loss_is_trained_with_each_seed_and_only_once(
    base_model: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: make test")
    values: dict[str, Any] = {
        "train": recipe(base_model, sentences, tmp_path / "unused", epochs=2),
        "losses": {"cross entropy": {}, "combined": {"kind": "combined"}},
        "seeds": [1, 2],
        "output": tmp_path / "losses",
    }
    config = ExperimentConfig.model_validate(values)
    results = experiment(config)
    assert (config.output / "losses.md").read_text(encoding="utf-8") == table(results)
    runs = sorted(folder.name for folder in config.output.iterdir() if folder.is_dir())
    assert runs == ["combined-1", "combined-2", "cross-entropy-1", "cross-entropy-2"]
    assert not list(config.output.glob("*/checkpoints"))
    monkeypatch.setattr("training.learn.experiment.train", None)
    assert experiment(config) == results
    other = ExperimentConfig.model_validate(values | {"losses": {"cross entropy": {"kind": "class"}}})
    with pytest.raises(TrainingError, match="another recipe"):
        experiment(other)
