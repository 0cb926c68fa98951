"""The folders that training writes, opened by other programs: plain transformers, and optimum's layout for ONNX."""

# ruff: noqa: E402 - the skips must come before the libraries that may be absent

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
transformers = pytest.importorskip("transformers", reason="the training extra is not installed: make test")

import onnxruntime as ort
from safetensors.torch import load_file, save_file

from inference.classifier import pad
from inference.loading import load_classifier
from inference.manifest import load_manifest
from inference.tokenizer import ReviewTokenizer
from tests.training.conftest import recipe
from training.data.run_folder import MEAN_POOLED, RunRecord, trained_weights
from training.errors import TrainingError
from training.export.export_model import export
from training.export.portable import portable
from training.learn.model import MeanPooledClassifier, load_trained
from training.learn.train import train
from training.recipes.options import TrainConfig
from training.recipes.recipe import ExportConfig, RecipeStep
from training.recipes.steps import run_step

TEXTS = ["the film was very very dull", "superb", "the film was okay", "the lovely film was very very very weak"]
OTHERS = ("distilbert", "roberta", "modernbert")


@pytest.fixture(scope="module")
def run(base_model: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "tiny"
    train(recipe(base_model, sentences, output, test_size=6))
    return output


def other_base(kind: str, base_model: Path, folder: Path) -> Path:
    """Return a random encoder of another architecture, with the tokenizer of `base_model`."""
    shapes: dict[str, dict[str, Any]] = {
        "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
        "roberta": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
        "modernbert": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
    }
    target = folder / kind
    shutil.copytree(base_model, target)
    (target / "model.safetensors").unlink()
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=30, max_position_embeddings=34, pad_token_id=0, **shapes[kind]
    )
    torch.manual_seed(0)
    transformers.AutoModel.from_config(config).save_pretrained(target)
    return target


def own_logits(folder: Path, texts: list[str]) -> Any:
    """Return the logits of Verdict's own network."""
    record = RunRecord.read(folder)
    encoded = ReviewTokenizer(folder / "tokenizer.json", 16).encode(texts)
    ids, mask = map(torch.from_numpy, pad(encoded, record.pad_id))
    with torch.inference_mode():
        return load_trained(folder, len(record.labels))(ids, mask)["logits"].numpy()


def plain_logits(folder: Path, texts: list[str]) -> Any:
    """Return the logits of the folder loaded with transformers alone."""
    network, told = transformers.AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        return network(**tokenizer(texts, padding=True, return_tensors="pt")).logits.numpy()


def test_plain_transformers_load_the_trained_network_with_equal_logits(run: Path) -> None:
    expected = own_logits(run, TEXTS)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(plain_logits(run, TEXTS), expected, atol=1e-4)


def test_the_folder_names_the_labels_to_other_programs(run: Path) -> None:
    answers = transformers.pipeline("text-classification", model=str(run))(TEXTS[:2])
    assert [answer["label"] for answer in answers] == ["bad", "good"]


@pytest.mark.parametrize("kind", OTHERS)
def test_other_architectures_train_their_own_head_and_load_and_export_alike(
    kind: str, base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    base = other_base(kind, base_model, tmp_path)
    output = tmp_path / "run"
    train(recipe(base, sentences, output, epochs=1, evaluations=1))
    np.testing.assert_allclose(plain_logits(output, TEXTS), own_logits(output, TEXTS), atol=1e-5)
    export(ExportConfig(run=[output], target=tmp_path / "m" / "1", precision="float32", token_budget=64, threads=1))
    classifier = load_classifier(tmp_path / "m" / "1", threads=1)
    found = classifier.forward(classifier.tokenise([TEXTS[0]]))
    np.testing.assert_allclose(found, own_logits(output, [TEXTS[0]]), atol=1e-4)


def test_a_network_without_a_form_for_transformers_fails_there_with_an_error(
    base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    base = other_base("distilbert", base_model, tmp_path)
    output = tmp_path / "run"
    train(recipe(base, sentences, output, epochs=1, evaluations=1, head="mean"))
    assert own_logits(output, TEXTS).shape == (4, 3)
    for folder in (output, output / MEAN_POOLED, *(output / "checkpoints").iterdir()):
        with pytest.raises((OSError, ValueError)):
            transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    assert "transformers cannot load" in (output / "README.md").read_text(encoding="utf-8")


def test_more_labels_than_the_width_holds_have_no_form_for_transformers(base_model: Path) -> None:
    encoder = transformers.AutoModel.from_pretrained(base_model)
    assert portable(MeanPooledClassifier(encoder, 8), [str(label) for label in range(8)]) is None


def earlier(run: Path, folder: Path) -> Path:
    """Return the run as earlier versions wrote it: the network's own weights under the name transformers looks for."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("checkpoints"))
    shutil.copyfile(folder / MEAN_POOLED / "config.json", folder / "config.json")
    save_file(load_file(trained_weights(folder)), folder / "model.safetensors")
    shutil.rmtree(folder / MEAN_POOLED)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["config"]["output"] = str(folder)
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_a_run_of_an_earlier_version_is_read_and_brought_up_to_date(run: Path, tmp_path: Path) -> None:
    folder = earlier(run, tmp_path / "old")
    expected = own_logits(run, TEXTS)
    np.testing.assert_array_equal(own_logits(folder, TEXTS), expected)
    config = RunRecord.read(folder).settings()
    run_step(RecipeStep("train", config), "verdict train --resume")
    np.testing.assert_array_equal(own_logits(folder, TEXTS), expected)
    np.testing.assert_allclose(plain_logits(folder, TEXTS), expected, atol=1e-4)


def test_the_model_folder_has_the_layout_of_optimum(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "tiny" / "1"
    export(ExportConfig(run=[run], target=target, precision="float32", token_budget=64, threads=1))
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", "model.onnx"} <= set(load_manifest(target).files)
    assert transformers.AutoConfig.from_pretrained(target).id2label == {0: "bad", 1: "fair", 2: "good"}
    tokens = transformers.AutoTokenizer.from_pretrained(target)(TEXTS, padding=True, return_tensors="np")
    session = ort.InferenceSession(str(target / "model.onnx"))
    wanted = {each.name: tokens[each.name].astype(np.int64) for each in session.get_inputs()}
    assert set(wanted) == {"input_ids", "attention_mask"}
    (logits,) = session.run(["logits"], wanted)
    np.testing.assert_allclose(logits, own_logits(run, TEXTS), atol=1e-4)
    with pytest.raises(OSError, match="no file named"):
        transformers.AutoModelForSequenceClassification.from_pretrained(target)


def test_what_the_exporter_and_the_quantiser_note_stands_in_the_log(run: Path, tmp_path: Path) -> None:
    export(ExportConfig(run=[run], target=tmp_path / "tiny" / "1", token_budget=64, threads=1))
    text = (run / "export.log").read_text(encoding="utf-8")
    assert "training.quantise" in text
    assert "pre-processing before quantization" in text
    assert "legacy" not in text


def test_a_run_leaves_its_log_recipe_curves_and_test_figures(run: Path) -> None:
    record = RunRecord.read(run)
    test = json.loads((run / "metrics_test.json").read_text(encoding="utf-8"))
    assert test["n"] == 6
    assert test["accuracy"] == pytest.approx(record.result["test"]["accuracy"], abs=1e-4)
    assert record.rows == {"training": 34, "validation": 8, "dropped": 0}
    assert set(record.result["validation"]) == {"accuracy", "precision", "recall", "f1", "ece"}
    assert TrainConfig.model_validate(yaml.safe_load((run / "config.yaml").read_text())) == record.settings()
    assert (run / "loss.png").read_bytes()[:4] == b"\x89PNG"
    log = (run / "train.log").read_text(encoding="utf-8")
    assert "evaluation: loss" in log
    assert "precision" in log
    assert "training: loss" in log


def test_test_data_of_their_own_are_measured(base_model: Path, sentences: Path, tmp_path: Path) -> None:
    train(recipe(base_model, sentences, tmp_path / "run", test=str(sentences), epochs=1, evaluations=1))
    assert json.loads((tmp_path / "run" / "metrics_test.json").read_text(encoding="utf-8"))["n"] == 48


def test_a_preprocessing_that_no_worker_applies_is_not_exported(
    base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    train(recipe(base_model, sentences, output, preprocessing={"truncation": "tail"}, epochs=1, evaluations=1))
    with pytest.raises(TrainingError, match="a worker does not apply"):
        export(ExportConfig(run=[output], target=tmp_path / "m" / "1"))
