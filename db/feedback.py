"""Statements about feedback: the truth about a judged review.

Called by api.routes.feedback and, for examples, worker.samples.

Where the caller shares the review, its text is kept as an example in the data set `feedback`, as long as a job has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

DATASET = "feedback"


@dataclass(frozen=True, slots=True)
class Judged:
    """A review that exists; without a prediction unless its status is succeeded."""

    job_id: UUID
    status: str
    model: str | None
    labels: Sequence[str]
    predicted: str | None


_JUDGED = text("""
SELECT review.job_id, review.status, model.name AS model, coalesce(model.labels, '{}') AS labels,
       model.labels[review.label + 1] AS predicted
FROM reviews AS review LEFT JOIN models AS model ON model.id = review.model_id WHERE review.id = :review
FOR KEY SHARE OF review
""")


def judged(connection: Connection, review_id: UUID) -> Judged | None:
    """What a review was judged as, locked against a deletion, or None if there is no such review."""
    row = connection.execute(_JUDGED, {"review": review_id}).one_or_none()
    return None if row is None else Judged(**row._asdict())


@dataclass(frozen=True, slots=True)
class Told:
    """Feedback as it is stored; `created_at` is the time of the first word, the rest are the last one's."""

    sentiment: str
    agrees: bool
    shared: bool
    created_at: datetime
    is_first: bool


_TELL = text("""
INSERT INTO feedback (review_id, sentiment, agrees, example_id) VALUES (:review, :sentiment, :agrees, :example)
ON CONFLICT (review_id) DO UPDATE
SET sentiment = excluded.sentiment, agrees = excluded.agrees, example_id = excluded.example_id
RETURNING sentiment, agrees, example_id IS NOT NULL AS shared, created_at, old.review_id IS NULL AS is_first,
          old.example_id AS shared_before
""")
# The embedding is one of text and label: with another label it has to be made anew.
_KEEP = text("""
INSERT INTO examples AS known (dataset, text, text_sha256, label)
SELECT :dataset, sent.text, sha256(convert_to(sent.text, 'UTF8')), :sentiment
FROM reviews AS review JOIN job_rows AS sent USING (job_id, index) WHERE review.id = :review
ON CONFLICT (dataset, text_sha256) DO UPDATE SET label = excluded.label,
    embedder = CASE WHEN known.label = excluded.label THEN known.embedder END,
    embedding = CASE WHEN known.label = excluded.label THEN known.embedding END
RETURNING id
""")


def record(connection: Connection, review_id: UUID, sentiment: str, *, agrees: bool, share: bool) -> Told:
    """Store the truth about a judged review, the last word counts; with `share`, keep its text as an example."""
    parameters = {"review": review_id, "sentiment": sentiment}
    example = connection.scalar(_KEEP, parameters | {"dataset": DATASET}) if share else None
    row = connection.execute(_TELL, parameters | {"agrees": agrees, "example": example}).one()
    if row.shared_before and not share:
        forget_examples(connection, [row.shared_before])
    return Told(row.sentiment, row.agrees, row.shared, row.created_at, row.is_first)


_GET = text("""
SELECT sentiment, agrees, example_id IS NOT NULL AS shared, created_at, false AS is_first
FROM feedback WHERE review_id = :review
""")


def get(connection: Connection, review_id: UUID) -> Told | None:
    """The feedback on a review, or None."""
    row = connection.execute(_GET, {"review": review_id}).one_or_none()
    return None if row is None else Told(**row._asdict())


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

    They are locked before: only a second statement sees feedback that another transaction has given meanwhile.
    """
    if ids:
        connection.execute(_HOLD, {"ids": ids})
        connection.execute(_FORGET, {"ids": ids})


_UNSHARED = text("""
SELECT id FROM examples
WHERE dataset = :dataset AND NOT EXISTS (SELECT FROM feedback WHERE example_id = examples.id) LIMIT 1000
""")


def forget_unshared(connection: Connection) -> None:
    """Delete examples that no feedback shares any more, at most 1,000: those of jobs past their retention."""
    forget_examples(connection, connection.scalars(_UNSHARED, {"dataset": DATASET}).all())


_STALE = text("""
SELECT id, text, label FROM examples
WHERE dataset = :dataset AND embedder IS DISTINCT FROM :embedder AND label = ANY (:labels)
ORDER BY id DESC LIMIT :limit
""")


def stale(connection: Connection, embedder: str, labels: Sequence[str], limit: int) -> Sequence[Row[Any]]:
    """Examples from feedback with these labels that the embedder has not embedded, the newest first."""
    parameters = {"dataset": DATASET, "embedder": embedder, "labels": list(labels), "limit": limit}
    return connection.execute(_STALE, parameters).all()
