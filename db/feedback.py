"""Statements about feedback: the truth about a judged review. Called by api.feedback and, for examples, worker.samples.

A review that a caller told the truth about is kept as an example as well, in the data set `feedback`.
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
    created_at: datetime
    is_first: bool


_TELL = text("""
INSERT INTO feedback (review_id, sentiment, agrees) VALUES (:review, :sentiment, :agrees)
ON CONFLICT (review_id) DO UPDATE SET sentiment = excluded.sentiment, agrees = excluded.agrees
RETURNING sentiment, agrees, created_at, old.review_id IS NULL AS is_first
""")
# The embedding is one of text and label: with another label it has to be made anew.
_KEEP = text("""
INSERT INTO examples AS known (dataset, text, text_sha256, label)
SELECT :dataset, sent.text, sha256(convert_to(sent.text, 'UTF8')), :sentiment
FROM reviews AS review JOIN job_rows AS sent USING (job_id, index) WHERE review.id = :review
ON CONFLICT (dataset, text_sha256) DO UPDATE SET label = excluded.label, embedder = NULL, embedding = NULL
WHERE known.label <> excluded.label
""")


def tell(connection: Connection, review_id: UUID, sentiment: str, *, agrees: bool) -> Told:
    """Store the truth about a judged review, the last word counts, and keep its text and truth as an example."""
    parameters = {"review": review_id, "sentiment": sentiment}
    row = connection.execute(_TELL, parameters | {"agrees": agrees}).one()
    connection.execute(_KEEP, parameters | {"dataset": DATASET})
    return Told(**row._asdict())


_GET = text("SELECT sentiment, agrees, created_at, false AS is_first FROM feedback WHERE review_id = :review")


def get(connection: Connection, review_id: UUID) -> Told | None:
    """The feedback on a review, or None."""
    row = connection.execute(_GET, {"review": review_id}).one_or_none()
    return None if row is None else Told(**row._asdict())


_STALE = text("""
SELECT id, text, label FROM examples
WHERE dataset = :dataset AND embedder IS DISTINCT FROM :embedder AND label = ANY (:labels)
ORDER BY id DESC LIMIT :limit
""")


def stale(connection: Connection, embedder: str, labels: Sequence[str], limit: int) -> Sequence[Row[Any]]:
    """Examples from feedback with these labels that the embedder has not embedded, the newest first."""
    parameters = {"dataset": DATASET, "embedder": embedder, "labels": list(labels), "limit": limit}
    return connection.execute(_STALE, parameters).all()
