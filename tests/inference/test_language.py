"""Texts that the model was not trained for: in another language, or in none."""

from pathlib import Path

import pytest

from inference.classifier import Classifier
from inference.loading import load_classifier
from tests.manifests import edit
from training.evaluate import classify

SHIPPED = Path("models/default/2")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder = tmp_path_factory.mktemp("models") / "2"
    folder.mkdir()
    for path in SHIPPED.iterdir():
        (folder / path.name).symlink_to(path.resolve())
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").write_bytes((SHIPPED / "manifest.json").read_bytes())
    edit(folder, lambda values: values.update(language="en"))
    return load_classifier(folder, threads=1)


@pytest.mark.parametrize(
    "text",
    [
        "Das Essen war kalt und der Kellner unfreundlich.",
        "La comida estaba deliciosa y el servicio fue excelente.",
        "Je suis déçu par ce produit.",
        "Фильм был очень скучным.",
        "หนังเรื่องนี้สนุกมาก",
        "这部电影太无聊了。",
        "الخدمة سيئة للغاية ولن أعود",
        "asdf qwer",
        "dfgdfg ertert cvbcvb",
        "12 34 56",
        "!!! ???",
    ],
)
def test_what_is_not_english_has_a_warning_and_little_confidence(classifier: Classifier, text: str) -> None:
    (answer,) = classify(classifier, [text], 256)
    assert answer.warnings == ("language",)
    assert answer.confidence < 0.8


@pytest.mark.parametrize(
    "text",
    [
        "They never called me back.",
        "Not a dull minute.",
        "Great!",
        "ok i guess",
        "An iPhone charger that works, 5 stars.",
        "The gnocchi at this place were to die for.",
        "SO BORING!!!",
    ],
)
def test_english_has_none(classifier: Classifier, text: str) -> None:
    (answer,) = classify(classifier, [text], 256)
    assert answer.warnings == ()


def test_a_review_is_marked_alone_among_its_batch_mates(classifier: Classifier) -> None:
    answers = classify(classifier, ["A lovely evening.", "Ein schöner Abend mit gutem Essen.", "A dull evening."], 256)
    assert [bool(answer.warnings) for answer in answers] == [False, True, False]


def test_a_model_that_names_no_language_warns_of_none() -> None:
    (answer,) = classify(load_classifier(SHIPPED, threads=1), ["Das Essen war kalt."], 256)
    assert answer.warnings == ()
