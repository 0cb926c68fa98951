"""Feedback in the store: the last word counts, and what is true becomes an example."""

from uuid import UUID, uuid4

import pytest

from db import feedback
from db.engine import Engine, transaction
from db.feedback import Told
from tests.db import steps


@pytest.fixture
def review(engine: Engine, model_id: int) -> UUID:
    """A review that was judged as positive."""
    steps.submit(engine, texts=["a film", "a film"])
    claimed = steps.must_claim(engine)
    steps.complete_all(engine, claimed, model_id)
    return claimed.reviews[0].id


def tell(engine: Engine, review: UUID, sentiment: str) -> Told:
    with transaction(engine) as connection:
        return feedback.tell(connection, review, sentiment, agrees=sentiment == "positive")


def examples(engine: Engine) -> list[tuple[object, ...]]:
    return [tuple(row) for row in steps.rows(engine, "SELECT dataset, text, label, embedder FROM examples")]


def test_a_judged_review_is_known_with_its_prediction(engine: Engine, review: UUID) -> None:
    with transaction(engine) as connection:
        found = feedback.judged(connection, review)
    assert found
    assert (found.model, found.labels, found.predicted) == ("default", ["negative", "positive"], "positive")


def test_a_waiting_review_has_no_prediction(engine: Engine) -> None:
    steps.submit(engine)
    [waiting] = steps.rows(engine, "SELECT id FROM reviews")
    with transaction(engine) as connection:
        found = feedback.judged(connection, waiting.id)
        assert feedback.judged(connection, uuid4()) is None
    assert found
    assert (found.status, found.predicted, found.labels) == ("queued", None, [])


def test_the_last_word_counts_and_keeps_the_time_of_the_first(engine: Engine, review: UUID) -> None:
    first, second = tell(engine, review, "positive"), tell(engine, review, "negative")
    assert (first.is_first, second.is_first) == (True, False)
    assert (second.sentiment, second.agrees, second.created_at) == ("negative", False, first.created_at)
    with transaction(engine) as connection:
        assert feedback.get(connection, review) == second
        assert feedback.get(connection, uuid4()) is None


def test_it_goes_with_its_job_and_its_example_stays(engine: Engine, review: UUID) -> None:
    tell(engine, review, "negative")
    steps.run(engine, "DELETE FROM jobs")
    assert steps.rows(engine, "SELECT * FROM feedback") == []
    assert examples(engine) == [("feedback", "a film", "negative", None)]


def test_an_embedded_example_stays_embedded_until_its_label_changes(engine: Engine, review: UUID) -> None:
    tell(engine, review, "negative")
    steps.run(engine, "UPDATE examples SET embedder = 'e'")
    tell(engine, review, "negative")
    assert examples(engine) == [("feedback", "a film", "negative", "e")]
    tell(engine, review, "positive")
    assert examples(engine) == [("feedback", "a film", "positive", None)]


def test_only_examples_from_feedback_that_the_embedder_knows_are_stale(engine: Engine, review: UUID) -> None:
    tell(engine, review, "negative")
    steps.run(
        engine,
        "INSERT INTO examples (dataset, text, text_sha256, label) VALUES"
        " ('mine', 'x', 'x', 'negative'), ('feedback', 'y', 'y', 'strange')",
    )
    with transaction(engine) as connection:
        found = feedback.stale(connection, "e", ["negative", "positive"], 10)
        assert feedback.stale(connection, "e", ["negative", "positive"], 0) == []
    assert [row.text for row in found] == ["a film"]
