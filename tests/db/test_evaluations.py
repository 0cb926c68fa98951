"""Predictions are counted against the labels of a file."""

import json
from typing import Any
from uuid import UUID

from db import evaluations, jobs
from db.claims import ClaimedReview, Outcome
from db.engine import Engine, driver_cursor, transaction
from tests.db import steps

COUNTED = {"labelled": 2, "unknown_labels": 0, "labels": ["negative", "positive"], "matrix": [[0, 1], [0, 1]]}


def execute(engine: Engine, statement: str, *parameters: Any) -> None:
    with transaction(engine) as connection, driver_cursor(connection) as cursor:
        cursor.execute(statement, parameters)


def labelled(engine: Engine, labels: list[str | None], texts: list[str] | None = None) -> UUID:
    """Add a job whose file had these labels."""
    job_id = steps.submit(engine, texts=texts or [f"review {place}" for place in range(len(labels))])
    execute(engine, "UPDATE jobs SET labelled = true WHERE id = %s", job_id)
    for index, label in enumerate(labels):
        execute(engine, "UPDATE job_rows SET label = %s WHERE job_id = %s AND index = %s", label, job_id, index)
    return job_id


def predict(engine: Engine, model_id: int, *predictions: int | None) -> None:
    """Complete the waiting reviews with these labels; None is a failure."""
    claimed = steps.must_claim(engine)
    reviews = sorted(claimed.reviews, key=lambda review: review.text)
    outcomes = [_outcome(review, label) for review, label in zip(reviews, predictions, strict=True)]
    steps.complete(engine, claimed.token, model_id, outcomes, last=True)


def _outcome(review: ClaimedReview, label: int | None) -> Outcome:
    if label is None:
        return steps.broken(review)
    return Outcome(review.id, review.job_id, label=label, probabilities=[0.5, 0.5], waited_ms=0, inference_ms=0)


def evaluate(engine: Engine, job_id: UUID) -> dict[str, Any] | None:
    """Return only the counts of the evaluation."""
    found = evaluated(engine, job_id)
    return found and {name: found[name] for name in COUNTED}


def evaluated(engine: Engine, job_id: UUID) -> dict[str, Any] | None:
    with transaction(engine) as connection:
        job = jobs.get(connection, job_id)
        assert job is not None
        return evaluations.evaluation(connection, job)


def test_truth_and_predictions_are_counted(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["negative", "negative", "positive", "positive", "positive"])
    predict(engine, model_id, 0, 1, 1, 1, 0)
    assert evaluate(engine, job_id) == {
        "labelled": 5,
        "unknown_labels": 0,
        "labels": ["negative", "positive"],
        "matrix": [[1, 1], [1, 2]],
    }


def test_labels_are_known_in_the_usual_spellings(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["Positive", " POS\t", "pos", "1", "\u00a0neg", "NEGATIVE ", "0"])
    predict(engine, model_id, *[1] * 7)
    assert evaluate(engine, job_id) == COUNTED | {"labelled": 7, "matrix": [[0, 3], [0, 4]]}


def test_other_labels_are_counted_and_blank_ones_are_not(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["positive", "neutral", "5", "", "  ", None])
    predict(engine, model_id, *[1] * 6)
    assert evaluate(engine, job_id) == COUNTED | {"labelled": 1, "unknown_labels": 2, "matrix": [[0, 0], [0, 1]]}


def test_a_row_without_a_prediction_is_labelled_and_in_no_cell(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["positive", "negative"])
    predict(engine, model_id, 1, None)
    assert evaluate(engine, job_id) == COUNTED | {"matrix": [[0, 0], [0, 1]]}


def test_every_row_of_a_text_counts(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["positive", "negative"], texts=["same", "same"])
    predict(engine, model_id, 1)
    assert evaluate(engine, job_id) == COUNTED


def test_it_is_counted_once(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["positive", "negative"])
    predict(engine, model_id, 1, 1)
    assert evaluate(engine, job_id) == COUNTED
    assert steps.one(engine, "jobs", job_id).evaluation == evaluated(engine, job_id)
    execute(engine, "UPDATE job_rows SET label = 'other' WHERE job_id = %s", job_id)
    assert evaluate(engine, job_id) == COUNTED


def test_a_retried_job_is_counted_again(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["positive", "negative"])
    predict(engine, model_id, 1, None)
    evaluate(engine, job_id)
    steps.retry(engine, job_id)
    assert evaluate(engine, job_id) is None
    predict(engine, model_id, 1)
    assert evaluate(engine, job_id) == COUNTED


def test_a_job_that_was_deleted_meanwhile_has_none(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["positive"])
    predict(engine, model_id, 1)
    with transaction(engine) as connection:
        job = jobs.get(connection, job_id)
        assert job is not None
        jobs.delete(connection, job_id)
        assert evaluations.evaluation(connection, job) is None


def said(engine: Engine, job_id: UUID, column: str, told: dict[str, str] | None = None) -> None:
    execute(
        engine,
        "UPDATE jobs SET labelling = %s::jsonb WHERE id = %s",
        json.dumps({"column": column, "told": told}),
        job_id,
    )


def test_the_whole_set_of_values_decides_what_a_number_means(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["1", "1", "-1", "0", "-1.0"])
    predict(engine, model_id, 1, 1, 0, 0, 0)
    found = evaluated(engine, job_id)
    assert found is not None
    assert (found["labelled"], found["unknown_labels"], found["matrix"]) == (4, 1, [[2, 0], [0, 2]])
    assert found["meanings"] == {"1": "positive", "-1": "negative", "-1.0": "negative"}
    assert (found["unknown_values"], found["problem"]) == ({"0": 1}, None)


def test_stars_are_read_by_the_name_of_their_column(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["1", "2", "3", "4"])
    said(engine, job_id, "Star Rating")
    predict(engine, model_id, 0, 0, 0, 1)
    found = evaluated(engine, job_id)
    assert found is not None
    assert (found["labelled"], found["matrix"], found["unknown_values"]) == (3, [[2, 0], [0, 1]], {"3": 1})


def test_an_ambiguous_set_gives_no_score_and_shows_how_to_map_it(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["0", "1", "2"])
    said(engine, job_id, "label")
    predict(engine, model_id, 0, 0, 1)
    found = evaluated(engine, job_id)
    assert found is not None
    assert (found["labelled"], found["unknown_labels"], found["matrix"]) == (0, 3, [[0, 0], [0, 0]])
    assert '"label" holds 0, 1, 2' in found["problem"]
    assert "labels=0:negative,2:positive" in found["problem"]


def test_a_caller_can_map_values_to_labels(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["0", "1", "2"])
    said(engine, job_id, "label", {"0": "negative", "2": "positive"})
    predict(engine, model_id, 0, 0, 1)
    found = evaluated(engine, job_id)
    assert found is not None
    assert (found["labelled"], found["matrix"], found["unknown_values"]) == (2, [[1, 0], [0, 1]], {"1": 1})


def test_a_mapping_to_a_label_that_the_model_lacks_gives_no_score(engine: Engine, model_id: int) -> None:
    job_id = labelled(engine, ["0", "1"])
    said(engine, job_id, "label", {"0": "angry"})
    predict(engine, model_id, 0, 0)
    found = evaluated(engine, job_id)
    assert found is not None
    assert found["problem"] == 'The model has no label "angry"; it has negative, positive.'
