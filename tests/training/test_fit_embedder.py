"""Fitting an embedder: reviews of one film come near, also of films it has not seen, and a file of it is as it was."""

# ruff: noqa: E402 - the skip must come before the libraries that may be absent

import csv
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from inference.embedder import Embedder, Topics
from inference.tokenizer import NO_LIMIT, ReviewTokenizer
from training.learn.fit_embedder import FILE, Documents, fit_embedder, pairs_of
from training.learn.neighbours import nearest
from training.recipes.options import EmbedderConfig

FILMS = ("awful dull", "boring weak", "okay average", "passable usual", "superb moving", "witty lovely")


@pytest.fixture
def recipe(base_model: Path, tmp_path: Path) -> EmbedderConfig:
    """Each film's reviews share one word of two; label and film are told apart by words."""
    with (tmp_path / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "film"])
        for turn in range(8):
            for film, words in enumerate(FILMS):
                word = words.split()[turn % 2]
                writer.writerow([f"{word} {'very ' * (turn % 3)}film", ("bad", "good")[film % 2], film])
    return EmbedderConfig(
        data=str(tmp_path / "reviews.csv"),
        group_column="film",
        validation_size=8,
        base_model=str(base_model),
        dimensions=6,
        min_reviews=1,
        steps=40,
        batch_size=4,
        output=tmp_path / "run",
    )


def changed(recipe: EmbedderConfig, **changes: object) -> EmbedderConfig:
    return EmbedderConfig.model_validate(recipe.model_dump() | changes)


def test_a_fit_is_measured_and_kept_in_a_file(recipe: EmbedderConfig) -> None:
    figures = fit_embedder(recipe)
    assert json.loads((recipe.output / "embedder.json").read_text())["validation"] == figures
    assert figures["bytes"] == (recipe.output / FILE).stat().st_size
    assert figures["dimensions"] == 8
    assert figures["same_label"] == 1.0
    topics = Topics.read(recipe.output / FILE)
    embedder = Embedder(topics, ReviewTokenizer(recipe.output / "tokenizer.json", NO_LIMIT), ("bad", "good"), "")
    near = embedder.embed(["superb film", "very superb film", "okay film"], np.array([[0.5, 0.5]] * 3))
    assert near[0] @ near[1] > near[0] @ near[2]


def test_pulling_brings_reviews_of_one_film_together(recipe: EmbedderConfig) -> None:
    def apart(config: EmbedderConfig) -> float:
        fit_embedder(config)
        tokeniser = ReviewTokenizer(config.output / "tokenizer.json", NO_LIMIT)
        topics = [Topics.read(config.output / FILE).of(ids) for ids in tokeniser.whole(["awful", "dull"])]
        return float(topics[0] @ topics[1])

    everything = changed(recipe, validation_size=1)
    assert apart(everything) > 0.5 + apart(changed(everything, steps=0))


def test_without_groups_there_is_the_analysis_alone(recipe: EmbedderConfig) -> None:
    figures = fit_embedder(changed(recipe, group_column=None))
    assert "same_group" not in figures


def test_the_same_seed_fits_the_same(recipe: EmbedderConfig) -> None:
    fit_embedder(recipe)
    fit_embedder(changed(recipe, output=recipe.output.with_name("again")))
    first, second = (Topics.read(recipe.output.with_name(name) / FILE) for name in ("run", "again"))
    assert np.array_equal(first.table, second.table)


def test_groups_of_one_review_and_those_held_out_make_no_pairs() -> None:
    assert [rows.tolist() for rows in pairs_of(["a", "b", "a", "c", "c", ""], {"c", ""})] == [[0, 2]]


def test_rare_tokens_count_for_nothing_and_frequent_ones_for_little() -> None:
    documents = Documents([np.array([0, 1]), np.array([1]), np.array([1, 2]), np.array([2])], [])
    nothing, little, more = documents.idf(power=1, min_reviews=2)
    assert nothing == 0
    assert 0 < little < more


def test_the_nearest_are_in_order_and_not_itself() -> None:
    known = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    assert nearest(known[:1], known, 3).tolist() == [[0, 1, 2]]
    assert nearest(known, known, 1, without_itself=True).tolist() == [[1], [0], [1]]
