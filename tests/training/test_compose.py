"""From a run and n-grams to a served model of two stages."""

# ruff: noqa: E402 - the skips must come before the libraries that may be absent

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from inference.manifest import load_manifest
from tests.training.conftest import recipe
from training.data.reviews import DataSource, load_reviews
from training.errors import TrainingError
from training.evaluate import evaluate
from training.export.export_model import export
from training.learn.fit_ngrams import fit_ngrams
from training.learn.train import train
from training.recipes.options import NgramConfig
from training.recipes.recipe import ExportConfig


@pytest.fixture(scope="module")
def run(base_model: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "tiny"
    train(recipe(base_model, sentences, output))
    return output


@pytest.fixture(scope="module")
def ngrams(base_model: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("ngrams")
    config = NgramConfig(
        data=str(sentences),
        base_model=str(base_model),
        validation_size=8,
        bits=10,
        min_reviews=1,
        output=output,
    )
    fit_ngrams(config)
    return output


@pytest.fixture(scope="module")
def model(run: Path, ngrams: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "embedder").mkdir()
    (folder / "embedder" / "embedder.npz").write_bytes(b"an embedder")
    shutil.copyfile(run / "tokenizer.json", folder / "embedder" / "tokenizer.json")
    request = ExportConfig(
        run=[run],
        target=folder / "tiny" / "1",
        ngrams=ngrams,
        embedder=folder / "embedder",
        token_budget=64,
        threads=1,
        test=[str(sentences)],
    )
    export(request)
    return request.target


def test_the_manifest_holds_both_parts_and_their_files(model: Path, ngrams: Path) -> None:
    manifest = load_manifest(model)
    assert (manifest.backend, manifest.stage, manifest.embedder) == ("cascade", "transformer", "embedder.npz")
    assert {"ngrams.npz", "embedder.npz", "model.onnx"} <= set(manifest.files)
    assert (model / "ngrams.npz").read_bytes() == (ngrams / "ngrams.npz").read_bytes()
    assert manifest.cascade is not None
    assert {len(stack.bias) for stack in manifest.cascade.stacks} == {3}
    assert set(manifest.cascade.points) == {"fast", "balanced", "accurate"}


def test_the_figures_tell_points_stages_and_the_network_alone(model: Path) -> None:
    metrics = load_manifest(model).metrics
    points = [(entry.split, entry.point) for entry in metrics]
    assert points == [
        ("validation", "fast"),
        ("validation", "balanced"),
        ("validation", "accurate"),
        ("validation", "full"),
        ("validation", None),
        ("test", "balanced"),
        ("validation", None),
    ]
    assert set(metrics[3].stages) == {"transformer"}
    assert sum(stage.share for stage in metrics[1].stages.values()) == pytest.approx(1)


@pytest.mark.parametrize("point", [None, "fast", "accurate", "full"])
def test_a_model_of_two_stages_is_evaluated_at_a_point(model: Path, sentences: Path, point: str | None) -> None:
    result = evaluate(model, load_reviews(DataSource(str(sentences))), threads=1, point=point)
    assert result.point == (point or "balanced")
    assert result.scores.accuracy >= 0.95
    assert ("ngram" in result.stages) == (point != "full")


def test_an_evaluation_repeats_the_figures_of_the_manifest(model: Path, sentences: Path) -> None:
    result = evaluate(model, load_reviews(DataSource(str(sentences))), threads=1)
    noted = next(entry for entry in load_manifest(model).metrics if entry.split == "test")
    assert (noted.n, noted.accuracy) == (result.scores.n, result.scores.accuracy)
    assert {name: stage.share for name, stage in noted.stages.items()} == {
        name: stage["share"] for name, stage in result.stages.items()
    }


def test_the_card_tells_the_share_of_each_stage(model: Path) -> None:
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "| validation | balanced | ngram |" in card
    assert "| validation | int8 | network |" in card
    assert "cross-fitted" in card


def test_an_embedder_joins_a_model_of_one_stage(run: Path, model: Path, tmp_path: Path) -> None:
    export(ExportConfig(run=[run], target=tmp_path / "tiny" / "1", embedder=model, token_budget=64, threads=1))
    manifest = load_manifest(tmp_path / "tiny" / "1")
    assert (manifest.backend, manifest.cascade, manifest.embedder) == ("onnx", None, "embedder.npz")


def test_a_model_of_one_stage_has_no_points(sentences: Path) -> None:
    reviews = load_reviews(DataSource(str(sentences)))
    with pytest.raises(TrainingError, match="no operating points"):
        evaluate(Path("models/default/1"), reviews, threads=1, point="fast")


@pytest.mark.parametrize("part", ["ngrams", "embedder"])
def test_a_part_over_other_tokens_is_refused(part: str, run: Path, ngrams: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(ngrams, tmp_path / "other"))
    (other / "embedder.npz").write_bytes(b"an embedder")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["quite"] = 1_000
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(TrainingError, match=rf"differ; fit {part}\.npz"):
        export(ExportConfig.model_validate({"run": [run], "target": tmp_path / "tiny" / "1", part: other}))


def test_a_folder_without_the_part_is_named(run: Path, tmp_path: Path) -> None:
    shutil.copyfile(run / "tokenizer.json", tmp_path / "tokenizer.json")
    target = tmp_path / "tiny" / "1"
    with pytest.raises(TrainingError, match=r"holds no ngrams\.npz"):
        export(ExportConfig(run=[run], target=target, ngrams=tmp_path))
    with pytest.raises(TrainingError, match=r"holds no embedder\.npz"):
        export(ExportConfig(run=[run], target=target, embedder=tmp_path))
    assert not target.exists()


def test_n_grams_over_other_labels_are_refused(run: Path, ngrams: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(ngrams, tmp_path / "other"))
    with np.load(ngrams / "ngrams.npz") as values:
        two = {name: values[name][..., :1] if name in {"weights", "scale", "bias"} else values[name] for name in values}
    np.savez(other / "ngrams.npz", **two)
    with pytest.raises(TrainingError, match="have 2 labels, the network 3"):
        export(ExportConfig(run=[run], target=tmp_path / "tiny" / "1", ngrams=other, token_budget=64, threads=1))
