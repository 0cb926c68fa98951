"""Statements about reviews as callers read them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from db.models import ReviewStatus

_PAGE = text("""
SELECT sent.review_id, sent.index, sent.line, sent.caller_id, review.label, review.probabilities, review.stage,
       review.truncated, review.tokens, review.attempts, review.queued_ms, review.inference_ms, review.similar_reviews,
       coalesce(review.status, 'failed') AS status, coalesce(sent.error_code, review.error_code) AS error_code,
       coalesce(sent.error_detail, review.error_detail) AS error_detail,
       model.name AS model, model.version, model.precision, model.labels
FROM job_rows AS sent
LEFT JOIN reviews AS review ON review.id = sent.review_id
LEFT JOIN models AS model ON model.id = review.model_id
WHERE sent.job_id = :job AND sent.index > :after
  AND (CAST(:status AS text) IS NULL OR coalesce(review.status, 'failed') = :status)
ORDER BY sent.index LIMIT :limit
""")


def page(
    connection: Connection, job_id: UUID, *, status: ReviewStatus | None = None, after: int = -1, limit: int
) -> Sequence[Row[Any]]:
    """Rows of a job as they were sent, with what became of their review; those behind index `after`."""
    return connection.execute(_PAGE, {"job": job_id, "status": status, "after": after, "limit": limit}).all()
