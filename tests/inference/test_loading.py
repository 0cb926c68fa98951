"""A corrupt or unknown model folder is refused with one sentence."""

import shutil
from pathlib import Path

import pytest

from inference.loading import load_classifier
from inference.manifest import ModelError, load_manifest
from tests.manifests import edit

SHIPPED = Path("models/default/1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "1"))


def refusal(model: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_classifier(model, threads=1)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_manifest_names_the_model() -> None:
    info = load_manifest(SHIPPED).info()
    assert (info.name, info.version, info.labels) == ("default", "1", ("negative", "positive"))


def test_a_folder_without_manifest_is_no_model(tmp_path: Path) -> None:
    assert "manifest.json is missing" in refusal(tmp_path)


def test_broken_json_is_refused(model: Path) -> None:
    (model / "manifest.json").write_text("{")
    assert "not readable JSON" in refusal(model)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "README.md"])
def test_a_changed_byte_is_refused(model: Path, name: str) -> None:
    content = bytearray((model / name).read_bytes())
    content[len(content) // 2] ^= 1
    (model / name).write_bytes(content)
    assert f"The file {name}" in refusal(model)


def test_a_missing_file_is_refused(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    assert "lacks its file tokenizer.json" in refusal(model)


def test_an_unknown_format_is_refused(model: Path) -> None:
    edit(model, lambda values: values.update(format=7))
    assert "unknown format 7" in refusal(model)


def test_an_unknown_backend_is_refused(model: Path) -> None:
    edit(model, lambda values: values.update(backend="abacus"))
    assert "unknown backend abacus" in refusal(model)


def test_a_missing_field_is_named(model: Path) -> None:
    edit(model, lambda values: values.pop("max_tokens"))
    assert "max_tokens" in refusal(model)


def test_a_file_outside_the_folder_is_refused(model: Path) -> None:
    edit(model, lambda values: values["files"].update({"../secret": "0" * 64}))
    assert "plain names" in refusal(model)


def test_a_temperature_that_is_no_number_is_refused(model: Path) -> None:
    edit(model, lambda values: values["calibration"].update(temperature=float("nan")))
    assert "temperature" in refusal(model)


def test_a_model_that_misclassifies_its_golden_set_is_refused(model: Path) -> None:
    edit(model, lambda values: values["golden"][0].update(sentiment="negative"))
    assert "classifies" in refusal(model)


def test_a_graph_that_does_not_load_is_refused(model: Path) -> None:
    (model / "tokenizer.json").write_text("{}")
    edit(model, lambda values: values["files"].pop("tokenizer.json"))
    assert "does not load" in refusal(model)
