"""From sentences to a served model, on a random network so small that it trains in a second."""

# ruff: noqa: E402 - the skips must come before the libraries that may be absent

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from safetensors.torch import load_file
from transformers import (
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from inference.classifier import softmax
from inference.loading import load_classifier
from inference.manifest import load_manifest
from tests.training.conftest import recipe
from training.data.reviews import DataSource, load_reviews
from training.data.run_folder import MEAN_POOLED, RunRecord, trained_weights
from training.data.soft_targets import Judgement
from training.errors import TrainingError
from training.evaluate import evaluate
from training.export.export_model import export
from training.learn.clock import CheckpointClock
from training.learn.label import label
from training.learn.train import train
from training.recipes.recipe import ExportConfig, LabelConfig


@pytest.fixture(scope="module")
def run(base_model: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "tiny"
    train(recipe(base_model, sentences, output), command="verdict train -c tiny.yaml")
    return output


@pytest.fixture(scope="module")
def model(run: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("models") / "tiny" / "3"
    export(ExportConfig(run=[run], target=target, test=[str(sentences)], token_budget=64, threads=1))
    return target


def test_a_run_learns_and_records_how(run: Path) -> None:
    record = RunRecord.read(run)
    assert record.labels == ["bad", "fair", "good"]
    assert record.rows == {"training": 40, "validation": 8, "dropped": 0}
    assert record.result["validation"]["accuracy"] == 1.0
    assert record.command == "verdict train -c tiny.yaml"


def test_an_interrupted_run_ends_with_the_same_weights_when_resumed(
    run: Path, base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    output = tmp_path / "again"
    shutil.copytree(run, output)
    shutil.rmtree(output / MEAN_POOLED)
    (output / "model.safetensors").unlink()
    *_, last = sorted((output / "checkpoints").iterdir(), key=lambda folder: int(folder.name.split("-")[1]))
    shutil.rmtree(last)
    (output / "checkpoints" / "checkpoint-999").mkdir()  # the remains of an interrupted save are ignored
    config = recipe(base_model, sentences, output)
    with pytest.raises(TrainingError, match="--resume"):
        train(config)
    train(config, resume=True)
    first, second = load_file(trained_weights(run)), load_file(trained_weights(output))
    assert all(first[name].equal(second[name]) for name in first)


def test_the_loss_of_the_recipe_is_the_one_that_is_minimised(base_model: Path, sentences: Path, tmp_path: Path) -> None:
    loss = {"kind": "combined", "penalty": 3.0}
    record = train(recipe(base_model, sentences, tmp_path / "run", loss=loss))
    assert record.result["validation"]["accuracy"] == 1.0
    plain = train(recipe(base_model, sentences, tmp_path / "plain"))
    first, second = (load_file(trained_weights(tmp_path / name))["head.weight"] for name in ("run", "plain"))
    assert plain.config["loss"]["kind"] == "cross_entropy"
    assert not first.equal(second)


def test_a_run_goes_on_from_the_weights_of_another_that_fits(
    run: Path, base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    short = {"epochs": 0.1, "learning_rate": 1e-9, "start": run}
    record = train(recipe(base_model, sentences, tmp_path / "on", **short))
    assert record.result["validation"]["accuracy"] == 1.0
    with pytest.raises(TrainingError, match="does not fit this network"):
        train(recipe(base_model, sentences, tmp_path / "other", **short | {"start": base_model}))


def test_frozen_layers_stay_as_they_were_and_the_others_learn(
    base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    train(recipe(base_model, sentences, tmp_path / "run", frozen_layers=1, epochs=1))
    before, after = load_file(base_model / "model.safetensors"), load_file(trained_weights(tmp_path / "run"))
    layers = {name: after[f"encoder.{name}"].equal(before[name]) for name in before if ".dense." in name}
    assert all(same for name, same in layers.items() if ".layer.0." in name)
    assert not any(same for name, same in layers.items() if ".layer.1." in name)


def test_a_student_learns_from_a_teacher_what_its_own_labels_do_not_tell(
    run: Path, base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    answers = tmp_path / "answers"
    assert label(LabelConfig(run=run, data=str(sentences), output=answers)) == 48
    few = tmp_path / "few.csv"  # "fair" is not among its words
    few.write_text("text,label\n" + "the film was awful,bad\nthe film was superb,good\n" * 8, encoding="utf-8")
    distil = {"data": str(sentences), "teachers": [{"logits": str(answers)}]}
    labels = ["bad", "fair", "good"]
    output = tmp_path / "student"
    train(recipe(base_model, few, output, labels=labels, validation_size=2, distil=distil))
    label(LabelConfig(run=output, data=str(sentences), output=tmp_path / "again"))
    teacher, student = Judgement.read(answers), Judgement.read(tmp_path / "again")
    assert (teacher.logits.argmax(axis=1) == student.logits.argmax(axis=1)).all()


def test_labelling_goes_on_where_it_was_ended_and_only_where_another_is_unsure(
    run: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.learn.label.PART_ROWS", 10)
    request = LabelConfig(run=run, data=str(sentences), output=tmp_path / "all")
    label(request)
    whole = Judgement.read(request.output)
    (request.output / "00002.parquet").unlink()
    kept = (request.output / "00001.parquet").stat().st_mtime_ns
    label(request)
    assert Judgement.read(request.output).logits.tolist() == whole.logits.tolist()
    assert (request.output / "00001.parquet").stat().st_mtime_ns == kept
    sure = softmax(whole.logits).max(axis=1)
    middle = float(np.median(sure))
    unsure = LabelConfig(run=run, data=str(sentences), output=tmp_path / "unsure", unsure=request.output, below=middle)
    assert label(unsure) == (sure < middle).sum()
    assert (sure[Judgement.read(unsure.output).rows] < middle).all()


def test_freezing_every_layer_gets_one_line(base_model: Path, sentences: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none of the 2 layers"):
        train(recipe(base_model, sentences, tmp_path / "run", frozen_layers=2))


def test_the_clock_asks_for_a_checkpoint_when_its_minutes_have_passed() -> None:
    arguments, state = TrainingArguments(), TrainerState()
    late, early = TrainerControl(), TrainerControl()
    CheckpointClock(0).on_step_end(arguments, state, late)
    CheckpointClock(60).on_step_end(arguments, state, early)
    assert (late.should_save, early.should_save) == (True, False)


def test_an_exported_model_serves_its_labels(model: Path) -> None:
    manifest = load_manifest(model)
    assert (manifest.name, manifest.version, manifest.precision) == ("tiny", "3", "int8")
    assert manifest.labels == ["bad", "fair", "good"]
    classifier = load_classifier(model, threads=1)
    batch = classifier.tokenise(["the film was superb", "the film was very very dull"])
    assert [answer.sentiment for answer in classifier.postprocess(batch, classifier.forward(batch))] == ["good", "bad"]


def test_an_evaluation_repeats_the_figures_of_the_manifest(model: Path, sentences: Path) -> None:
    result = evaluate(model, load_reviews(DataSource(str(sentences))), threads=1)
    noted = next(entry for entry in load_manifest(model).metrics if entry.split == "test")
    assert (noted.n, noted.accuracy) == (result.scores.n, result.scores.accuracy)
    assert result.scores.accuracy >= 0.95


def test_the_model_card_names_the_command_and_each_split(model: Path) -> None:
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "`verdict train -c tiny.yaml`" in card
    assert "| validation | int8 |" in card
    assert "| test | int8 |" in card
    assert "| validation | float32 |" in card


def test_a_version_is_never_overwritten(run: Path, model: Path) -> None:
    before = (model / "manifest.json").read_bytes()
    with pytest.raises(TrainingError, match="never changes"):
        export(ExportConfig(run=[run], target=model))
    assert (model / "manifest.json").read_bytes() == before


def test_a_model_that_fails_its_golden_set_is_not_written(run: Path, tmp_path: Path) -> None:
    golden = tmp_path / "golden.yaml"
    golden.write_text(json.dumps([{"text": "the film was superb", "sentiment": "bad"}]))
    target = tmp_path / "tiny" / "1"
    with pytest.raises(Exception, match="classifies"):
        export(ExportConfig(run=[run], target=target, golden=golden, token_budget=64, threads=1))
    assert not target.exists()
    assert not list(target.parent.iterdir())


def test_a_run_that_has_not_ended_needs_a_checkpoint(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    trained_weights(tmp_path / "run").unlink()
    with pytest.raises(TrainingError, match="--checkpoint"):
        export(ExportConfig(run=[tmp_path / "run"], target=tmp_path / "tiny" / "1"))


def test_a_folder_that_is_no_run_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no training run"):
        export(ExportConfig(run=[tmp_path], target=tmp_path / "tiny" / "1"))


def test_a_base_model_that_is_not_there_gets_one_line(sentences: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Cannot load the base model") as caught:
        train(recipe(tmp_path / "none", sentences, tmp_path / "run"))
    assert "\n" not in str(caught.value)
