"""Ways to prepare texts: the effect of each on a review, and the experiment that compares them."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import recipe
from training.errors import TrainingError
from training.recipes.options import ExperimentConfig, PreprocessingConfig
from training.recipes.reading import load_config

pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from training.learn.experiment import experiment
from training.learn.preprocessing import prepare, tokeniser_of


@pytest.mark.parametrize(
    ("settings", "prepared"),
    [
        ({}, "A <5 & B"),
        ({"cleaning": "none"}, "A <br />&lt;5  &amp; B"),
        ({"cleaning": "html"}, "A  &lt;5  &amp; B"),
        ({"lowercase": True}, "a <5 & b"),
    ],
)
def test_each_preparation_does_what_it_says(settings: dict[str, Any], prepared: str) -> None:
    assert prepare("A <br />&lt;5  &amp; B", PreprocessingConfig.model_validate(settings)) == prepared


@pytest.mark.parametrize("truncation", ["head+tail", "head", "tail"])
def test_a_text_within_the_limit_is_not_cut(truncation: str, base_model: Path, sentences: Path) -> None:
    assert len(cut(truncation, base_model, sentences, 4)) == 8


def cut(truncation: str, base_model: Path, sentences: Path, words: int) -> list[int]:
    config = recipe(base_model, sentences, sentences.parent, preprocessing={"truncation": truncation})
    tokeniser = tokeniser_of(config, base_model / "tokenizer.json")
    (encoded,) = tokeniser.encode(["the film was " + "very " * (words - 3) + "awful superb"])
    return list(encoded.ids)


def test_a_long_text_keeps_its_head_its_tail_or_both_between_the_special_tokens(
    base_model: Path, sentences: Path
) -> None:
    from transformers import AutoTokenizer  # noqa: PLC0415 - after the skip

    tokenizer = AutoTokenizer.from_pretrained(base_model)
    found = {
        truncation: tokenizer.convert_ids_to_tokens(cut(truncation, base_model, sentences, 20))
        for truncation in ("head+tail", "head", "tail")
    }
    assert found == {
        "head+tail": ["[CLS]", "the", "film", "was", "very", "awful", "superb", "[SEP]"],
        "head": ["[CLS]", "the", "film", "was", "very", "very", "very", "[SEP]"],
        "tail": ["[CLS]", "very", "very", "very", "very", "awful", "superb", "[SEP]"],
    }


def test_an_experiment_compares_preprocessings_in_a_table_and_a_plot(
    base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    values: dict[str, Any] = {
        "train": recipe(base_model, sentences, tmp_path / "unused", epochs=1, evaluations=1),
        "preprocessing": {"as served": {}, "tail": {"truncation": "tail"}},
        "seeds": [1, 2],
        "output": tmp_path / "compared",
    }
    results = experiment(ExperimentConfig.model_validate(values))
    assert list(results) == ["as served", "tail"]
    text = (tmp_path / "compared" / "preprocessing.md").read_text(encoding="utf-8")
    assert text.startswith("| preprocessing | accuracy |")
    assert (tmp_path / "compared" / "preprocessing.png").exists()


def test_the_shipped_experiment_compares_cleaning_case_and_truncation() -> None:
    config = load_config(Path("training/configs/preprocessing.yaml"), ExperimentConfig)
    kind, variants = config.variants()
    assert kind == "preprocessing"
    assert next(each.preprocessing for each in variants.values()) == PreprocessingConfig()
    assert {each.preprocessing.truncation for each in variants.values()} == {"head+tail", "head", "tail"}
    assert {each.preprocessing.cleaning for each in variants.values()} == {"full", "none", "html"}


def test_an_experiment_compares_one_thing() -> None:
    with pytest.raises(TrainingError, match="either losses or preprocessing"):
        load_config(Path("training/configs/preprocessing.yaml"), ExperimentConfig, ["losses={a: {}}"])
