"""Examples: find the nearest, add, embed again, remove."""

from collections.abc import Sequence
from dataclasses import astuple
from uuid import uuid4

import pytest

from db import examples
from db.engine import Engine, transaction
from db.examples import Neighbour, NewExample, SimilarQuery
from tests.db.steps import rows

EMBEDDER = "an embedder"
EAST, NORTH, NORTH_EAST = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]


def add(engine: Engine, dataset: str, *new: NewExample, embedder: str | None = EMBEDDER) -> int:
    with transaction(engine) as connection:
        return examples.add(connection, dataset, embedder, new)


def example(text: str, embedding: Sequence[float] | None = EAST, label: str = "positive") -> NewExample:
    return NewExample(text, label, None, embedding)


def nearest(engine: Engine, *wanted: SimilarQuery, embedder: str = EMBEDDER) -> list[Neighbour]:
    with transaction(engine) as connection:
        return examples.nearest(connection, embedder, wanted)


def texts(engine: Engine, embedding: Sequence[float], count: int, text: str = "a review") -> list[str]:
    return [each.text for each in nearest(engine, SimilarQuery(uuid4(), text, embedding, count))]


@pytest.fixture
def compass(engine: Engine) -> Engine:
    """Three examples."""
    add(engine, "compass", example("east"), example("north", NORTH), example("north-east", NORTH_EAST))
    return engine


def test_the_nearest_come_first_and_no_more_than_wanted(compass: Engine) -> None:
    assert texts(compass, EAST, 3) == ["east", "north-east", "north"]
    assert texts(compass, NORTH, 2) == ["north", "north-east"]


def test_similarity_is_the_cosine(compass: Engine) -> None:
    found = nearest(compass, SimilarQuery(uuid4(), "", EAST, 3))
    assert [each.similarity for each in found] == pytest.approx([1, 0.6, 0], abs=1e-3)
    assert {each.label for each in found} == {"positive"}


def test_each_review_has_its_own(compass: Engine) -> None:
    one, other = SimilarQuery(uuid4(), "one", EAST, 1), SimilarQuery(uuid4(), "other", NORTH, 2)
    found = [(each.review_id, each.text) for each in nearest(compass, one, other)]
    assert found == [(one.review_id, "east"), (other.review_id, "north"), (other.review_id, "north-east")]


def test_a_review_is_not_similar_to_itself_and_no_text_comes_twice(compass: Engine) -> None:
    add(compass, "copies", example("east"), example("north", NORTH))
    assert texts(compass, EAST, 3, text="east") == ["north-east", "north"]


def test_examples_of_another_embedder_do_not_count(compass: Engine) -> None:
    add(compass, "others", *(example(f"{number}") for number in range(60)), embedder="another")
    assert texts(compass, EAST, 3) == ["east", "north-east", "north"]
    assert nearest(compass, SimilarQuery(uuid4(), "", EAST, 3), embedder="a third") == []


def test_examples_without_an_embedding_are_kept_but_not_found(engine: Engine) -> None:
    add(engine, "plain", example("a", None))
    assert texts(engine, EAST, 3) == []
    assert rows(engine, "SELECT text, embedder, embedding FROM examples") == [("a", None, None)]


def test_adding_again_changes_nothing_but_what_has_changed(compass: Engine) -> None:
    before = rows(compass, "SELECT * FROM examples ORDER BY id")
    assert add(compass, "compass", example("east"), example("north", NORTH)) == 0
    assert rows(compass, "SELECT * FROM examples ORDER BY id") == before
    assert add(compass, "compass", example("east", label="negative"), example("north", NORTH)) == 1
    assert rows(compass, "SELECT label FROM examples WHERE text = 'east'") == [("negative",)]


def test_of_a_text_that_comes_twice_the_last_counts(engine: Engine) -> None:
    assert add(engine, "twice", example("a"), example("a", label="negative")) == 1
    assert rows(engine, "SELECT label FROM examples") == [("negative",)]


def test_data_sets_are_counted_by_label(compass: Engine) -> None:
    add(compass, "plain", example("a", None, label="negative"), example("b", None))
    with transaction(compass) as connection:
        found = [astuple(each) for each in examples.datasets(connection, EMBEDDER)]
    assert found == [("compass", "positive", 3, 3), ("plain", "negative", 1, 0), ("plain", "positive", 1, 0)]


def test_a_removed_data_set_is_gone_and_no_other(compass: Engine) -> None:
    add(compass, "other", example("a"))
    with transaction(compass) as connection:
        assert examples.remove(connection, "compass") == 3
        assert examples.remove(connection, "compass") == 0
    assert texts(compass, EAST, 3) == ["a"]


def test_samples_are_due_without_any_example_and_after_a_change_of_the_embedder(engine: Engine) -> None:
    with transaction(engine) as connection:
        assert examples.samples_due(connection, "samples", EMBEDDER)
        examples.add(connection, "samples", EMBEDDER, [example("a")])
        assert not examples.samples_due(connection, "samples", EMBEDDER)
        assert examples.samples_due(connection, "samples", "new")
        assert not examples.samples_due(connection, "another name", "new")


def test_examples_of_another_embedder_are_found_and_embedded_again(compass: Engine) -> None:
    with transaction(compass) as connection:
        assert examples.stale(connection, EMBEDDER, after=0, limit=9) == []
        stale = examples.stale(connection, "new", after=0, limit=2)
        assert [each.text for each in stale] == ["east", "north"]
        assert examples.embed(connection, "new", [each.id for each in stale], [NORTH, EAST]) == 2
    assert [each.text for each in nearest(compass, SimilarQuery(uuid4(), "", EAST, 3), embedder="new")] == [
        "north",
        "east",
    ]
