"""Samples are added to a database without examples, and embedded again with a new model; users' examples stay."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from db import examples, feedback
from db.engine import Engine, transaction
from db.examples import NewExample
from inference.embedder import Embedder
from settings import ROOT
from tests.db.steps import rows, run
from tests.embedders import small_embedder
from worker.samples import add_samples, embed_feedback

FOLDER = ROOT / "models/default"


@pytest.fixture
def embedder(tmp_path: Path) -> Embedder:
    return small_embedder(tmp_path)


def test_a_database_without_examples_gets_the_samples_once(engine: Engine, embedder: Embedder) -> None:
    added = add_samples(engine, embedder, FOLDER)
    assert added >= 24
    assert add_samples(engine, embedder, FOLDER) == 0
    found = Counter(label for (label,) in rows(engine, "SELECT label FROM examples"))
    assert found["positive"] == found["negative"] == added / 2


def test_another_embedder_embeds_the_samples_again(engine: Engine, embedder: Embedder) -> None:
    added = add_samples(engine, embedder, FOLDER)
    assert add_samples(engine, replace(embedder, digest="new"), FOLDER) == added
    assert rows(engine, "SELECT DISTINCT embedder FROM examples") == [("new",)]


def test_a_database_with_other_examples_gets_none(engine: Engine, embedder: Embedder) -> None:
    add_samples(engine, embedder, FOLDER)
    run(engine, "UPDATE examples SET dataset = 'ours'")
    assert add_samples(engine, replace(embedder, digest="new"), FOLDER) == 0


def test_a_model_without_samples_or_with_other_labels_adds_none(
    engine: Engine, embedder: Embedder, tmp_path: Path
) -> None:
    assert add_samples(engine, embedder, tmp_path) == 0
    assert add_samples(engine, replace(embedder, labels=("bad", "good")), FOLDER) == 0
    with transaction(engine) as connection:
        assert examples.datasets(connection, None) == []


def test_feedback_is_embedded_once_and_again_with_another_embedder(engine: Engine, embedder: Embedder) -> None:
    with transaction(engine) as connection:
        new = [NewExample(text, "positive", None, None) for text in ("pirates", "robots")]
        examples.add(connection, feedback.DATASET, None, [*new, NewExample("cake", "strange", None, None)])
        examples.add(connection, "ours", None, new)
    assert [embed_feedback(engine, embedder), embed_feedback(engine, embedder)] == [2, 0]
    assert embed_feedback(engine, replace(embedder, digest="new")) == 2
    embedded = rows(engine, "SELECT dataset, embedder FROM examples WHERE embedding IS NOT NULL")
    assert embedded == [("feedback", "new")] * 2


def test_without_feedback_there_is_nothing_to_embed(engine: Engine, embedder: Embedder) -> None:
    assert embed_feedback(engine, embedder) == 0
