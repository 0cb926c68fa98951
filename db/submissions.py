"""The statement that adds a job with its reviews. Called by api.jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from db.models import Lane


@dataclass(frozen=True, slots=True)
class NewReview:
    """A review as it was sent; `tokens_estimate` is what a claim's budget counts before tokenising."""

    text: str
    caller_id: str | None
    tokens_estimate: int


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to add."""

    lane: Lane
    model: str
    metadata: dict[str, Any]
    deadline: timedelta | None
    reviews: Sequence[NewReview]
    similar_wanted: int = 0  #: similar reviews wanted of each


_ADD = text("""
WITH job AS (
    INSERT INTO jobs (lane, model, metadata, similar_wanted, total, queued, deadline_at)
    VALUES (:lane, :model, :metadata, :similar_wanted, :total, :total, now() + :deadline)
    RETURNING id, created_at
), sent AS MATERIALIZED (
    SELECT position - 1 AS index, tokens, body, caller_id
    FROM unnest(CAST(:tokens AS int[]), CAST(:texts AS text[]), CAST(:caller_ids AS text[]))
         WITH ORDINALITY AS sent (tokens, body, caller_id, position)
), review AS MATERIALIZED (
    SELECT uuidv7() AS id, min(index) AS index, count(*) AS copies, min(tokens) AS tokens, body
    FROM sent GROUP BY body ORDER BY 2
), added AS (
    INSERT INTO reviews (id, job_id, index, copies, tokens_estimate, queued_at)
    SELECT review.id, job.id, review.index, review.copies, review.tokens, job.created_at FROM review, job
), rows AS (
    INSERT INTO job_rows (job_id, index, review_id, text, caller_id)
    SELECT job.id, sent.index, review.id, sent.body, sent.caller_id FROM job, sent JOIN review USING (body)
)
SELECT id FROM job
""").bindparams(bindparam("metadata", type_=JSONB))


def add(connection: Connection, job: NewJob) -> UUID:
    """Add a job with all its reviews, queued; one round trip whatever its size. Identical texts are one review."""
    columns = {name: getattr(job, name) for name in ("lane", "model", "metadata", "deadline", "similar_wanted")}
    sent = {
        "tokens": [review.tokens_estimate for review in job.reviews],
        "texts": [review.text for review in job.reviews],
        "caller_ids": [review.caller_id for review in job.reviews],
    }
    job_id: UUID = connection.execute(_ADD, columns | sent | {"total": len(job.reviews)}).scalar_one()
    return job_id
