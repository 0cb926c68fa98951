"""Statements about reviews as callers read them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from db.models import ReviewStatus

_PAGE = text("""
SELECT review.id, review.index, review.status, review.label, review.probabilities, review.stage,
       review.truncated, review.tokens, review.attempts, review.queued_ms, review.inference_ms, review.error_code,
       review.error_detail, sent.caller_id, model.name AS model, model.version, model.precision, model.labels
FROM reviews AS review
JOIN review_texts AS sent ON sent.review_id = review.id
LEFT JOIN models AS model ON model.id = review.model_id
WHERE review.job_id = :job AND review.index > :after
  AND (CAST(:status AS text) IS NULL OR review.status = :status)
ORDER BY review.index LIMIT :limit
""")


def page(
    connection: Connection, job_id: UUID, *, status: ReviewStatus | None = None, after: int = -1, limit: int
) -> Sequence[Row[Any]]:
    """Reviews of a job in the order they were sent, those behind index `after`."""
    return connection.execute(_PAGE, {"job": job_id, "status": status, "after": after, "limit": limit}).all()
