"""From rows to what callers see. Called by the routes with what db.jobs and db.reviews returned."""

from datetime import datetime
from typing import Any
from uuid import UUID

from api.schemas import Counts, JobOut, JobTimings, Result, ResultError, ResultModel, ResultTimings, Urls
from db import reviews
from db.engine import Connection
from db.models import ReviewStatus

INLINE_RESULTS = 100


def job_url(job_id: UUID) -> str:
    """Where a job is read."""
    return f"/v1/jobs/{job_id}"


def job_with_results(connection: Connection, row: Any) -> JobOut:
    """A row of `jobs` as callers see it, with the results of a small one."""
    if row.total > INLINE_RESULTS:
        return job_out(row)
    page = reviews.page(connection, row.id, limit=INLINE_RESULTS)
    return job_out(row, [result(each) for each in page])


def job_out(row: Any, results: list[Result] | None = None) -> JobOut:
    """A row of `jobs`."""
    url = job_url(row.id)
    return JobOut(
        id=row.id,
        status=row.status,
        lane=row.lane,
        model=row.model,
        metadata=row.metadata,
        counts=Counts(
            total=row.total,
            queued=row.queued,
            processing=row.processing,
            succeeded=row.succeeded,
            failed=row.failed,
            cancelled=row.cancelled,
        ),
        progress=(row.succeeded + row.failed + row.cancelled) / row.total,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        deadline_at=row.deadline_at,
        timings_ms=JobTimings(
            queued=_milliseconds(row.created_at, row.started_at), total=_milliseconds(row.created_at, row.finished_at)
        ),
        urls=Urls(self=url, results=f"{url}/results", cancel=f"{url}/cancel", retry=f"{url}/retry"),
        results=results,
    )


def _milliseconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else round((end - start).total_seconds() * 1000, 3)


def result(row: Any) -> Result:
    """A row of `db.reviews.page`."""
    judged = row.status == ReviewStatus.SUCCEEDED
    return Result(
        review_id=row.id,
        id=row.caller_id,
        index=row.index,
        status=row.status,
        sentiment=row.labels[row.label] if judged else None,
        confidence=row.probabilities[row.label] if judged else None,
        probabilities=dict(zip(row.labels, row.probabilities, strict=True)) if judged else None,
        similar_reviews=[],
        model=ResultModel(name=row.model, version=row.version, precision=row.precision, stage=row.stage)
        if row.model
        else None,
        truncated=row.truncated,
        tokens=row.tokens,
        timings_ms=ResultTimings(queued=row.queued_ms, inference=row.inference_ms),
        error=ResultError(code=row.error_code, detail=row.error_detail, attempts=row.attempts)
        if row.error_code
        else None,
    )
