"""Hyper-parameter search: trials, table, plot and the best recipe; it resumes, and does not mix two searches."""

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("optuna", reason="optuna is not installed: make test")

import yaml

from cli.search import search as command
from tests.training.conftest import recipe
from training.errors import TrainingError
from training.recipes.options import SearchConfig, TrainConfig
from training.recipes.reading import load_config


def written(base_model: Path, sentences: Path, folder: Path) -> Path:
    told = recipe(base_model, sentences, folder / "unused", evaluations=1).model_dump(
        mode="json", exclude_defaults=True
    )
    values: dict[str, Any] = {
        "train": told,
        "learning_rate": [1e-3, 3e-3],
        "batch_size": [4, 8],
        "epochs": [0.5, 1],
        "output": str(folder / "search"),
    }
    path = folder / "search.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments)


def test_a_search_tries_values_and_writes_table_plot_and_the_best_recipe(
    base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    path = written(base_model, sentences, tmp_path)
    first = run("--config", str(path), "--trials", "2")
    assert first.exit_code == 0, first.output
    again = run("--config", str(path), "--trials", "3")
    assert "trial 2" in again.stderr
    assert "trial 1" not in again.stderr
    output = tmp_path / "search"
    rows = again.stdout.splitlines()
    assert rows == (output / "search.md").read_text(encoding="utf-8").splitlines()
    assert sorted(row.split(" | ")[0].lstrip("| ") for row in rows[2:]) == ["0", "1", "2"]
    scores = [float(row.split(" | ")[4]) for row in rows[2:]]
    assert scores == sorted(scores, reverse=True)
    assert (output / "search.png").read_bytes()[:4] == b"\x89PNG"
    best = load_config(output / "best.yaml", TrainConfig)
    assert f"{best.learning_rate:.3g}" == rows[2].split(" | ")[1]
    assert best.batch_size in {4, 8}
    assert not list(output.glob("trial-*/checkpoints"))
    other = run("--config", str(path), "-o", "batch_size=[8]")
    assert (other.exit_code, other.stderr.count("\n")) == (2, 1)
    assert "another search" in other.stderr


def test_the_shipped_search_is_valid() -> None:
    config = load_config(Path("training/configs/search.yaml"), SearchConfig, ["training.max_tokens=64"])
    assert (config.trials, config.train.max_tokens) == (12, 64)


@pytest.mark.parametrize("override", ["learning_rate=[1, 0.1]", "epochs=[0, 1]", "batch_size=[]", "train.epochs=x"])
def test_mistakes_of_a_search_get_one_line(override: str) -> None:
    with pytest.raises(TrainingError) as caught:
        load_config(Path("training/configs/search.yaml"), SearchConfig, [override])
    assert "\n" not in str(caught.value)
