"""Reviews as callers read them: rows of a job with their results."""

from uuid import UUID

from sqlalchemy import Connection, Engine, text

from db import jobs
from db.engine import one_trip
from db.models import ReviewStatus
from db.rows import all_rows
from db.stored import StoredJob, StoredReview

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
WHERE sent.job_id = :job
"""
_SOME = text(f"""
{_PAGE} AND sent.index > :after
  AND (CAST(:status AS text) IS NULL OR coalesce(review.status, 'failed') = CAST(:status AS text))
ORDER BY sent.index LIMIT :limit
""")
# All rows of a small job; for a larger one only its size is read.
_ALL = text(f"{_PAGE} AND (SELECT total FROM jobs WHERE id = :job) <= :limit ORDER BY sent.index")  # noqa: S608


def page(
    connection: Connection, job_id: UUID, *, status: ReviewStatus | None = None, after: int = -1, limit: int
) -> list[StoredReview]:
    """Return rows of a job with the results of their reviews; only rows after index `after`."""
    parameters = {"job": job_id, "status": status and status.value, "after": after, "limit": limit}
    return all_rows(StoredReview, connection.execute(_SOME, parameters))


def of_job(engine: Engine, job_id: UUID, limit: int) -> tuple[StoredJob | None, list[StoredReview]]:
    """Return a job, or None, and its rows as in `page` if there are at most `limit`; in one round trip."""
    with one_trip(engine) as pipeline:
        job = pipeline.execute(jobs.GET, {"id": job_id}, StoredJob)
        rows = pipeline.execute(_ALL, {"job": job_id, "limit": limit}, StoredReview)
    return job.fetchone(), rows.fetchall()
