"""Statements about feedback: the correct sentiment of a classified review.

If the caller shares the review, its text becomes an example in the data set `feedback`, and is deleted with the last
job that shares it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from db.examples import StaleExample
from db.rows import all_rows, one_row

DATASET = "feedback"


@dataclass(frozen=True, slots=True)
class PredictedReview:
    """A review for feedback; `predicted` is None unless its status is succeeded."""

    job_id: UUID
    status: str
    model: str | None
    labels: Sequence[str]
    predicted: str | None


_PREDICTED = text("""
SELECT review.job_id, review.status, model.name AS model, coalesce(model.labels, '{}') AS labels,
       model.labels[review.label + 1] AS predicted
FROM reviews AS review LEFT JOIN models AS model ON model.id = review.model_id WHERE review.id = :review
FOR KEY SHARE OF review
""")


def predicted_review(connection: Connection, review_id: UUID) -> PredictedReview | None:
    """Return a review with its prediction, locked against deletion; None if there is no such review."""
    return one_row(PredictedReview, connection.execute(_PREDICTED, {"review": review_id}))


@dataclass(frozen=True, slots=True)
class StoredFeedback:
    """Stored feedback; `created_at` is the time of the first one, the other fields are those of the latest."""

    sentiment: str
    agrees: bool
    shared: bool
    created_at: datetime
    is_first: bool


_RECORD = text("""
INSERT INTO feedback (review_id, sentiment, agrees, example_id) VALUES (:review, :sentiment, :agrees, :example)
ON CONFLICT (review_id) DO UPDATE
SET sentiment = excluded.sentiment, agrees = excluded.agrees, example_id = excluded.example_id
RETURNING sentiment, agrees, example_id IS NOT NULL AS shared, created_at, old.review_id IS NULL AS is_first,
          old.example_id AS shared_before
""")
# The embedding depends on text and label: a new label needs a new embedding.
_KEEP = text("""
INSERT INTO examples AS known (dataset, text, text_sha256, label)
SELECT :dataset, sent.text, sha256(convert_to(sent.text, 'UTF8')), :sentiment
FROM reviews AS review JOIN job_rows AS sent USING (job_id, index) WHERE review.id = :review
ON CONFLICT (dataset, text_sha256) DO UPDATE SET label = excluded.label,
    embedder = CASE WHEN known.label = excluded.label THEN known.embedder END,
    embedding = CASE WHEN known.label = excluded.label THEN known.embedding END
RETURNING id
""")


def record(connection: Connection, review_id: UUID, sentiment: str, *, agrees: bool, share: bool) -> StoredFeedback:
    """Store the correct sentiment of a review; the latest wins. With `share`, keep its text as an example."""
    parameters = {"review": review_id, "sentiment": sentiment}
    example = connection.scalar(_KEEP, parameters | {"dataset": DATASET}) if share else None
    row = connection.execute(_RECORD, parameters | {"agrees": agrees, "example": example}).one()
    if row.shared_before and not share:
        forget_examples(connection, [row.shared_before])
    return StoredFeedback(row.sentiment, row.agrees, row.shared, row.created_at, row.is_first)


_GET = text("""
SELECT sentiment, agrees, example_id IS NOT NULL AS shared, created_at, false AS is_first
FROM feedback WHERE review_id = :review
""")


def get(connection: Connection, review_id: UUID) -> StoredFeedback | None:
    """Return the feedback on a review, or None."""
    return one_row(StoredFeedback, connection.execute(_GET, {"review": review_id}))


_SHARED = text("""
SELECT DISTINCT example_id FROM feedback JOIN reviews ON reviews.id = feedback.review_id
WHERE reviews.job_id = :job AND example_id IS NOT NULL
""")


def shared_by(connection: Connection, job_id: UUID) -> Sequence[int]:
    """Return the ids of the examples that a job's reviews are shared as."""
    return connection.scalars(_SHARED, {"job": job_id}).all()


_HOLD = text("SELECT FROM examples WHERE id = ANY (:ids) ORDER BY id FOR UPDATE")
_FORGET = text("""
DELETE FROM examples WHERE id = ANY (:ids) AND NOT EXISTS (SELECT FROM feedback WHERE example_id = examples.id)
""")


def forget_examples(connection: Connection, ids: Sequence[int]) -> None:
    """Delete those of these examples that no feedback shares any more.

    The examples are locked first, in a statement of its own: only the second statement's snapshot contains feedback
    that another transaction has committed meanwhile.
    """
    if ids:
        connection.execute(_HOLD, {"ids": ids})
        connection.execute(_FORGET, {"ids": ids})


_UNSHARED = text("""
SELECT id FROM examples
WHERE dataset = :dataset AND NOT EXISTS (SELECT FROM feedback WHERE example_id = examples.id) LIMIT 1000
""")


def forget_unshared(connection: Connection) -> None:
    """Delete examples that no feedback shares any more, at most 1,000. Their jobs are past their retention."""
    forget_examples(connection, connection.scalars(_UNSHARED, {"dataset": DATASET}).all())


_STALE = text("""
SELECT id, text, label FROM examples
WHERE dataset = :dataset AND embedder IS DISTINCT FROM :embedder AND label = ANY (:labels)
ORDER BY id DESC LIMIT :limit
""")


def stale(connection: Connection, embedder: str, labels: Sequence[str], limit: int) -> list[StaleExample]:
    """Return examples from feedback with these labels that the embedder has not embedded, newest first."""
    parameters = {"dataset": DATASET, "embedder": embedder, "labels": list(labels), "limit": limit}
    return all_rows(StaleExample, connection.execute(_STALE, parameters))
