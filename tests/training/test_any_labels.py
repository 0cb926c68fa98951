"""Any labels, from a CSV file through training, both stages and export to the results of the service."""

import csv
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from cli.export import export
from cli.ngram import ngram
from cli.train import train
from db import registrations
from db.engine import Engine, transaction
from db.registrations import NewModel
from inference.classifier import Classifier
from inference.loading import load_classifier
from inference.manifest import load_manifest
from inference.stages import FULL
from settings import WorkerSettings
from tests.api.steps import post, submit
from tests.conftest import serve
from tests.training.conftest import WORDS

LABELS = dict(zip(["So là là", "not good", "très bon!"], ["fair", "bad", "good"], strict=True))


def sentence(label: str, turn: int) -> str:
    word = WORDS[LABELS[label]].split()[turn % 4]
    return f"the film was {'very ' * (turn % 3)}{word}"


def verdict(*arguments: str) -> None:
    app = typer.Typer()
    for command in (train, ngram, export):
        app.command()(command)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def models(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the MODELS_DIR that the three commands make from a CSV file."""
    folder = tmp_path_factory.mktemp("moods")
    with (folder / "moods.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([sentence(label, turn), label] for turn in range(20) for label in LABELS)
    data = {"data": str(folder / "moods.csv"), "base_model": str(base_model), "validation_size": 24}
    run = {"max_tokens": 8, "batch_size": 4, "epochs": 10, "learning_rate": 3e-3, "evaluations": 1, "threads": 1}
    recipes: dict[str, dict[str, Any]] = {
        "train": {**data, **run, "freeze_embeddings": False, "output": str(folder / "run")},
        "ngram": {**data, "order": 2, "bits": 12, "output": str(folder / "ngram")},
    }
    for command, recipe in recipes.items():
        path = folder / f"{command}.yaml"
        path.write_text(json.dumps(recipe), encoding="utf-8")
        verdict(command, "--config", str(path))
    target = folder / "models" / "default" / "1"
    verdict("export", str(folder / "run"), str(target), "--ngrams", str(folder / "ngram"), "--threads", "1")
    return folder / "models"


@pytest.fixture
def point() -> str | None:
    """Return the operating point: None for the default of the model."""
    return None


@pytest.fixture
def classifier(models: Path, point: str | None) -> Classifier:
    return load_classifier(WorkerSettings(models_dir=models).model_directory(), threads=1, point=point)


@pytest.fixture
def model_id(engine: Engine, classifier: Classifier) -> int:
    info = classifier.info
    new = NewModel(info.name, info.version, info.precision, info.backend, info.labels, info.max_tokens, metrics=[])
    with transaction(engine) as connection:
        return serve(connection, registrations.register_model(connection, new))


def test_a_model_of_two_stages_keeps_the_names_of_the_labels(models: Path) -> None:
    manifest = load_manifest(models / "default" / "1")
    assert manifest.labels == sorted(LABELS)
    assert manifest.cascade is not None
    assert {len(stack.bias) for stack in manifest.cascade.stacks} == {3}


@pytest.mark.usefixtures("worker")
def test_either_stage_answers_with_the_names_of_the_labels(client: httpx.Client) -> None:
    results = post(client, *(sentence(label, turn) for turn in range(12) for label in LABELS))["results"]
    assert {result["model"]["stage"] for result in results} == {"ngram", "transformer"}
    for result in results:
        assert set(result["probabilities"]) == set(LABELS)
        assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert result["sentiment"] == max(LABELS, key=result["probabilities"].__getitem__)


@pytest.mark.parametrize("point", [FULL])
@pytest.mark.usefixtures("worker")
def test_each_review_gets_the_label_it_was_written_for(client: httpx.Client) -> None:
    texts = {sentence(label, 1): label for label in LABELS}
    results = post(client, *texts)["results"]
    assert [result["sentiment"] for result in results] == list(texts.values())
    assert {result["model"]["stage"] for result in results} == {"transformer"}


@pytest.mark.parametrize("point", [FULL])
@pytest.mark.usefixtures("worker")
def test_a_file_is_evaluated_under_the_names_of_the_labels(client: httpx.Client) -> None:
    rows = "".join(f"{sentence(label, 2)},{label}\n" for label in LABELS)
    job = submit(client, f"text,label\n{rows}".encode())
    assert job["evaluation"]["accuracy"] == 1
    assert set(job["evaluation"]["per_label"]) == set(LABELS)
