"""One command from a data set to a model that a worker loads: resumed after a stop, the same when repeated."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from cli.train import train
from inference.loading import load_classifier
from inference.manifest import load_manifest
from settings import WorkerSettings
from tests.training.conftest import recipe
from training.data.run_folder import RunRecord


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(train)
    return CliRunner().invoke(app, arguments)


def written(folder: Path, base_model: Path, sentences: Path) -> Path:
    """Write a recipe whose results stand in `folder`: two networks, of which the first teaches the second."""
    told = recipe(base_model, sentences, folder / "teacher").model_dump(mode="json", exclude_defaults=True)
    student = {"output": str(folder / "student"), "distil": _taught_by(sentences, folder / "answers"), "epochs": 4}
    shared = {key: told.pop(key) for key in ("data", "base_model", "validation_size", "threads")}
    steps: list[dict[str, Any]] = [
        {"ngram": {"output": str(folder / "ngram"), "bits": 10, "judge": str(sentences), "cross_fit": 2}},
        {"train": told},
        {"label": {"run": told["output"], "data": str(sentences), "output": str(folder / "answers")}},
        {"train": told | student},
        {"embedder": {"output": str(folder / "embedder")}},
        {"export": {"run": str(folder / "student"), "target": str(folder / "models" / "tiny"), "token_budget": 64}},
    ]
    steps[-1]["export"] |= {"ngrams": str(folder / "ngram"), "embedder": str(folder / "embedder")}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**shared, "steps": steps}), encoding="utf-8")
    return path


def _taught_by(sentences: Path, answers: Path) -> dict[str, Any]:
    return {"data": str(sentences), "teachers": [{"logits": str(answers)}]}


@pytest.fixture(scope="module")
def done(base_model: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe's folder after one command."""
    folder = tmp_path_factory.mktemp("recipe")
    result = run("--config", str(written(folder, base_model, sentences)), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["model"] == str(folder / "models" / "tiny" / "1")
    assert "Step 6 of 6: export" in result.stderr
    return folder


def copied(done: Path, folder: Path, base_model: Path, sentences: Path) -> Path:
    """Return the recipe, and its results, in another folder."""
    for name in ("ngram", "teacher", "answers", "student", "embedder", "models"):
        shutil.copytree(done / name, folder / name)
    for name in ("teacher/run", "student/run", "ngram/ngrams", "embedder/embedder"):
        record = folder / f"{name}.json"
        record.write_text(record.read_text().replace(str(done), str(folder)))
    return written(folder, base_model, sentences)


def test_a_worker_loads_what_one_command_made(done: Path) -> None:
    settings = WorkerSettings(models_dir=done / "models", model="tiny")
    classifier = load_classifier(settings.model_directory(), threads=1)
    assert (classifier.info.version, classifier.info.labels) == ("1", ("bad", "fair", "good"))
    assert RunRecord.read(done / "student").rows["training"] == 40
    assert (done / "ngram" / "training.parquet").exists()


def test_what_has_ended_is_not_done_again(done: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()}
    refused = run("--config", str(done / "recipe.yaml"))
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "--resume" in refused.stderr
    again = run("--config", str(done / "recipe.yaml"), "--resume", "--json")
    assert again.exit_code == 0, again.output
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()} == before


def test_another_recipe_does_not_go_on_with_these_results(done: Path) -> None:
    for change in ("train.epochs=2", "ngram.order=2"):
        refused = run("--config", str(done / "recipe.yaml"), "--resume", "-o", change)
        assert (refused.exit_code, refused.stderr.count("another recipe")) == (2, 1)
    other = run("--config", str(done / "recipe.yaml"), "--resume", "-o", "export.max_tokens=16", "--json")
    assert json.loads(other.stdout)["model"] == str(done / "models" / "tiny" / "2")
    shutil.rmtree(done / "models" / "tiny" / "2")


def test_a_stopped_recipe_goes_on_and_ends_with_the_same_figures(
    done: Path, base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    path = copied(done, tmp_path, base_model, sentences)
    shutil.rmtree(tmp_path / "student")
    shutil.rmtree(tmp_path / "models")
    (tmp_path / "ngram" / "answers.parquet").unlink()
    result = run("--config", str(path), "--resume")
    assert result.exit_code == 0, result.output
    first, second = (load_manifest(folder / "models" / "tiny" / "1") for folder in (done, tmp_path))
    assert figures(first.model_dump()) == figures(second.model_dump())


def test_the_same_seed_gives_the_same_figures_to_three_digits(
    done: Path, base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    assert run("--config", str(written(tmp_path, base_model, sentences))).exit_code == 0
    for name in ("teacher", "student"):
        first, second = (RunRecord.read(folder / name).result["validation"] for folder in (done, tmp_path))
        assert first == pytest.approx(second, abs=5e-4)
    first, second = (load_manifest(folder / "models" / "tiny" / "1") for folder in (done, tmp_path))
    assert figures(first.model_dump()) == figures(second.model_dump())


def figures(manifest: dict[str, Any]) -> list[dict[str, float]]:
    """Accuracy, F1 and ECE of each measurement, to three digits."""
    names = ("accuracy", "macro_f1", "ece")
    return [{name: round(part[name], 3) for name in names} for part in manifest["metrics"]]
