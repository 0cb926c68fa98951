"""Add a job with its reviews."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine, text

from db import admission
from db.admission import Ahead, LaneFull
from db.engine import Pipeline, one_trip, pipelined
from db.models import Lane, ModelLane
from db.stored import AddedJob

CHARS_PER_TOKEN = 4.5  # average of English reviews with a WordPiece vocabulary


@dataclass(frozen=True, slots=True)
class NewReview:
    """A review as it was sent; claims and admission count `tokens_estimate`, since tokenising comes later."""

    text: str
    caller_id: str | None
    tokens_estimate: int


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to add; its model is chosen when it is added."""

    lane: Lane
    metadata: dict[str, Any]
    deadline: timedelta | None
    reviews: Sequence[NewReview]
    similar_wanted: int = 0  #: similar reviews to find for each review
    traceparent: str | None = None  #: W3C trace context of the request


_ADD = text(f"""
WITH {admission.AHEAD}, sent AS MATERIALIZED (
    SELECT position - 1 AS index, tokens, body, caller_id
    FROM unnest(CAST(:tokens AS int[]), CAST(:texts AS text[]), CAST(:caller_ids AS text[]))
         WITH ORDINALITY AS sent (tokens, body, caller_id, position)
), review AS MATERIALIZED (
    SELECT uuidv7() AS id, min(index) AS index, count(*) AS copies, min(tokens) AS tokens, body
    FROM sent GROUP BY body ORDER BY 2
), job AS (
    INSERT INTO jobs (lane, model, metadata, similar_wanted, total, queued, deadline_at, traceparent, tokens_estimate)
    SELECT :lane, :model, :metadata, :similar_wanted, :total, :total, now() + CAST(:deadline AS interval),
           :traceparent, (SELECT sum(tokens) FROM review)
    FROM ahead WHERE coalesce(tokens <= CAST(:within AS float8) * tokens_per_second, true)
    RETURNING id, created_at
), added AS (
    INSERT INTO reviews (id, job_id, index, copies, tokens_estimate, queued_at)
    SELECT review.id, job.id, review.index, review.copies, review.tokens, job.created_at FROM review, job
), rows AS (
    INSERT INTO job_rows (job_id, index, review_id, text, caller_id)
    SELECT job.id, sent.index, review.id, sent.body, sent.caller_id FROM job, sent JOIN review USING (body)
)
SELECT (SELECT id FROM job) AS job_id, tokens, tokens_per_second FROM ahead
""")  # noqa: S608  our own text


def add(connection: Connection, job: NewJob, model: str, within: float | None = None) -> UUID:
    """Add a job with all its reviews, queued, in the caller's transaction. Identical texts become one review.

    Raises:
        LaneFull: the work ahead in its queue takes longer than `within` seconds; nothing was added.
    """
    return _add(pipelined(connection), job, ModelLane(model, job.lane), within)


def add_in_one_trip(engine: Engine, job: NewJob, model: str, within: float | None = None) -> UUID:
    """Add a job as `add` does, and commit, in one round trip."""
    return _add(one_trip(engine), job, ModelLane(model, job.lane), within)


def _add(how: AbstractContextManager[Pipeline], job: NewJob, queue: ModelLane, within: float | None) -> UUID:
    with how as pipeline:
        if within is not None:
            admission.lock(pipeline, queue)
        cursor = pipeline.execute(_ADD, _parameters(job, queue) | {"within": within}, AddedJob)
    [added] = cursor.fetchall()
    if added.job_id is None:
        raise LaneFull(queue, Ahead(added.tokens, added.tokens_per_second))
    return added.job_id


def _parameters(job: NewJob, queue: ModelLane) -> dict[str, Any]:
    return admission.parameters(queue) | {
        "lane": job.lane.value,
        "metadata": Jsonb(job.metadata),
        "deadline": job.deadline,
        "similar_wanted": job.similar_wanted,
        "traceparent": job.traceparent,
        "total": len(job.reviews),
        "tokens": [review.tokens_estimate for review in job.reviews],
        "texts": [review.text for review in job.reviews],
        "caller_ids": [review.caller_id for review in job.reviews],
    }
