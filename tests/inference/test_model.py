"""`inference.load(…).predict(…)`: the model runtime without a service."""

import subprocess
import sys
from pathlib import Path

import pytest

import inference
from inference.loading import load_classifier
from inference.manifest import ModelError
from settings import ROOT

MODELS = ROOT / "models" / "default"
TEXTS = [
    "A warm, funny and beautifully acted film.",
    "Dull. I left after ten minutes.",
    "An awful mess of a film. " * 40,
]


def test_the_newest_version_of_a_model_predicts() -> None:
    model = inference.load(MODELS, threads=1)
    assert model.info.version == max(path.name for path in MODELS.iterdir() if path.is_dir())
    assert [each.sentiment for each in model.predict(TEXTS)] == ["positive", "negative", "negative"]


def test_a_version_is_chosen_by_its_folder() -> None:
    assert inference.load(MODELS / "1", threads=1).info.version == "1"


def test_predictions_are_those_of_the_classifier_in_the_order_of_the_texts() -> None:
    classifier = load_classifier(MODELS / "1", threads=1)
    alone = []
    for text in TEXTS:
        batch = classifier.tokenise([text])
        alone += classifier.postprocess(batch, classifier.forward(batch))
    together = inference.load(MODELS / "1", threads=1).predict(TEXTS)
    assert [each.sentiment for each in together] == [each.sentiment for each in alone]
    assert [each.confidence for each in together] == pytest.approx([each.confidence for each in alone], abs=1e-4)


def test_no_text_has_no_prediction() -> None:
    assert inference.load(MODELS, threads=1).predict([]) == []


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"There is no model in {tmp_path}"):
        inference.load(tmp_path)


def test_the_runtime_loads_neither_store_nor_queue() -> None:
    code = (
        f"import sys, inference; inference.load({str(MODELS)!r}, threads=1); "
        "print([name for name in ('db', 'broker', 'worker', 'api', 'redis', 'celery', 'sqlalchemy', 'torch') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
