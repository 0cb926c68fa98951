"""Feedback: the latest wins, and a shared review becomes an example."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from db import feedback, jobs, sweeps
from db.engine import Engine, transaction
from db.feedback import StoredFeedback
from db.sweeps import Retention
from tests.conftest import wait_until
from tests.db import steps


@pytest.fixture
def review(engine: Engine, model_id: int) -> UUID:
    """Id of a review that was predicted as positive."""
    steps.submit(engine, texts=["a film", "a film"])
    claimed = steps.must_claim(engine)
    steps.complete_all(engine, claimed, model_id)
    return claimed.reviews[0].id


def tell(engine: Engine, review: UUID, sentiment: str, *, share: bool = True) -> StoredFeedback:
    with transaction(engine) as connection:
        return feedback.record(connection, review, sentiment, agrees=sentiment == "positive", share=share)


def examples(engine: Engine) -> list[tuple[object, ...]]:
    return [tuple(row) for row in steps.rows(engine, "SELECT dataset, text, label, embedder FROM examples")]


def test_a_classified_review_is_found_with_its_prediction(engine: Engine, review: UUID) -> None:
    with transaction(engine) as connection:
        found = feedback.predicted_review(connection, review)
    assert found
    assert (found.model, found.labels, found.predicted) == ("default", ["negative", "positive"], "positive")


def test_a_waiting_review_has_no_prediction(engine: Engine) -> None:
    steps.submit(engine)
    [waiting] = steps.rows(engine, "SELECT id FROM reviews")
    with transaction(engine) as connection:
        found = feedback.predicted_review(connection, waiting.id)
        assert feedback.predicted_review(connection, uuid4()) is None
    assert found
    assert (found.status, found.predicted, found.labels) == ("queued", None, [])


def test_the_latest_feedback_wins_and_keeps_the_time_of_the_first(engine: Engine, review: UUID) -> None:
    first, second = tell(engine, review, "positive"), tell(engine, review, "negative")
    assert (first.is_first, second.is_first) == (True, False)
    assert (second.sentiment, second.agrees, second.created_at) == ("negative", False, first.created_at)
    with transaction(engine) as connection:
        assert feedback.get(connection, review) == second
        assert feedback.get(connection, uuid4()) is None


def forget_old(engine: Engine) -> None:
    with transaction(engine) as connection:
        sweeps.forget_old(connection, Retention(jobs=timedelta(days=30), idempotency_keys=timedelta(days=1)))


def delete(engine: Engine, job_id: UUID) -> None:
    with transaction(engine) as connection:
        assert jobs.delete(connection, job_id)


def classified_again(engine: Engine, model_id: int) -> tuple[UUID, UUID]:
    """Add another job with the same text; return its id and that of its review."""
    job_id = steps.submit(engine, texts=["a film"])
    claimed = steps.must_claim(engine)
    steps.complete_all(engine, claimed, model_id)
    return job_id, claimed.reviews[0].id


def test_a_text_is_kept_only_where_it_is_shared(engine: Engine, review: UUID) -> None:
    assert not tell(engine, review, "negative", share=False).shared
    assert examples(engine) == []
    assert tell(engine, review, "negative").shared
    assert examples(engine) == [("feedback", "a film", "negative", None)]


def test_later_feedback_can_withdraw_the_shared_text(engine: Engine, review: UUID) -> None:
    tell(engine, review, "negative")
    assert not tell(engine, review, "negative", share=False).shared
    assert examples(engine) == []


def test_feedback_and_its_example_are_deleted_with_the_job(engine: Engine, review: UUID) -> None:
    tell(engine, review, "negative")
    delete(engine, steps.rows(engine, "SELECT id FROM jobs")[0].id)
    assert steps.rows(engine, "SELECT * FROM feedback") == []
    assert examples(engine) == []


def test_the_example_is_deleted_when_the_retention_of_its_job_is_over(engine: Engine, review: UUID) -> None:
    tell(engine, review, "negative")
    forget_old(engine)
    assert len(examples(engine)) == 1
    steps.run(engine, "UPDATE jobs SET finished_at = finished_at - interval '31 days'")
    forget_old(engine)
    assert examples(engine) == []


def test_an_example_stays_as_long_as_another_job_shares_its_text(engine: Engine, review: UUID, model_id: int) -> None:
    first = steps.rows(engine, "SELECT job_id FROM reviews")[0].job_id
    second, again = classified_again(engine, model_id)
    tell(engine, review, "negative")
    tell(engine, again, "negative")
    delete(engine, first)
    assert len(examples(engine)) == 1
    delete(engine, second)
    assert examples(engine) == []


def test_an_example_shared_during_the_deletion_of_another_job_stays(
    engine: Engine, review: UUID, model_id: int
) -> None:
    first = steps.rows(engine, "SELECT job_id FROM reviews")[0].job_id
    _, again = classified_again(engine, model_id)
    tell(engine, review, "negative")
    with ThreadPoolExecutor(1) as threads:
        with transaction(engine) as sharing:
            feedback.record(sharing, again, "negative", agrees=False, share=True)
            deleting = threads.submit(delete, engine, first)
            wait_until(lambda: steps.rows(engine, "SELECT FROM pg_locks WHERE NOT granted"))
        deleting.result()
    assert len(examples(engine)) == 1
    assert steps.rows(engine, "SELECT FROM feedback WHERE example_id IS NOT NULL")


def test_a_removed_data_set_leaves_the_feedback(engine: Engine, review: UUID) -> None:
    tell(engine, review, "negative")
    steps.run(engine, "DELETE FROM examples")
    assert [row.example_id for row in steps.rows(engine, "SELECT example_id FROM feedback")] == [None]


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
