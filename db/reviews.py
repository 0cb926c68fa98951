"""Statements about reviews as callers read them."""

from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection

from db import jobs
from db.engine import driver_connection
from db.models import ReviewStatus

_PAGE = """
SELECT sent.review_id, sent.index, sent.line, sent.caller_id, review.label, review.probabilities, review.stage,
       review.truncated, review.tokens, review.attempts, review.queued_ms, review.inference_ms, review.similar_reviews,
       coalesce(review.cached, false) AS cached, coalesce(review.warnings, '{}') AS warnings,
       coalesce(review.status, 'failed') AS status, coalesce(sent.error_code, review.error_code) AS error_code,
       coalesce(sent.error_detail, review.error_detail) AS error_detail,
       model.name AS model, model.version, model.precision, model.labels
FROM job_rows AS sent
LEFT JOIN reviews AS review ON review.id = sent.review_id
LEFT JOIN models AS model ON model.id = review.model_id
WHERE sent.job_id = %(job)s
"""
_SOME = f"""
{_PAGE} AND sent.index > %(after)s
  AND (%(status)s::text IS NULL OR coalesce(review.status, 'failed') = %(status)s::text)
ORDER BY sent.index LIMIT %(limit)s
"""
_JOB = f"{jobs.READ} WHERE id = %(job)s"
# All rows of a small job; for a larger one only its size is read.
_ALL = f"{_PAGE} AND (SELECT total FROM jobs WHERE id = %(job)s) <= %(limit)s ORDER BY sent.index"  # noqa: S608  our own text


def page(
    connection: Connection, job_id: UUID, *, status: ReviewStatus | None = None, after: int = -1, limit: int
) -> list[Any]:
    """Return rows of a job with the results of their reviews; only rows after index `after`."""
    parameters = {"job": job_id, "status": status and status.value, "after": after, "limit": limit}
    return _cursor(connection).execute(_SOME, parameters).fetchall()


def of_job(connection: Connection, job_id: UUID, limit: int) -> tuple[Any | None, list[Any]]:
    """Return a job's row, or None, and its rows as in `page` if there are at most `limit`; in one round trip."""
    with driver_connection(connection).pipeline():
        job = _cursor(connection).execute(_JOB, {"job": job_id})
        rows = _cursor(connection).execute(_ALL, {"job": job_id, "limit": limit})
    return job.fetchone(), rows.fetchall()


def _cursor(connection: Connection) -> psycopg.Cursor[Any]:
    return driver_connection(connection).cursor(row_factory=namedtuple_row)
