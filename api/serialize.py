"""From rows to what callers see. Called by the routes with what db.jobs and db.reviews returned."""

from datetime import datetime
from typing import Any
from uuid import UUID

from api.errors import UnknownJob
from api.evaluation import evaluation_out
from api.schemas import Counts, File, JobOut, JobTimings, Result, ResultError, ResultModel, ResultTimings, Urls
from db import evaluations, reviews
from db.engine import Connection, Engine, transaction
from db.jobs import FINAL
from db.models import JobStatus, ReviewStatus

INLINE_RESULTS = 100
WITHOUT_WORKER = "No live worker serves the model {}; the job is kept and waits until one does."


def job_url(job_id: UUID) -> str:
    """Where a job is read."""
    return f"/v1/jobs/{job_id}"


def or_404(row: Any) -> Any:
    """The row of a job that was looked for.

    Raises:
        UnknownJob: there is none.
    """
    if row is None:
        raise UnknownJob
    return row


def job_as_it_is(engine: Engine, job_id: UUID, *, only_ended: bool = False) -> JobOut | None:
    """A job as callers see it, with the results of a small one; None if it shall have ended and has not.

    Raises:
        UnknownJob: there is none.
    """
    row, page = reviews.of_job(engine, job_id, INLINE_RESULTS)
    row = or_404(row)
    if only_ended and row.status not in FINAL:
        return None
    if row.labelled and row.status in FINAL:
        with transaction(engine) as connection:
            job = job_with_evaluation(connection, row)
    else:
        job = job_out(row)
    job.results = [result(each) for each in page] if row.total <= INLINE_RESULTS else None
    return job


def job_with_evaluation(connection: Connection, row: Any) -> JobOut:
    """A row of `jobs`, which is held against its labels when it has finished and whoever reads it is the first."""
    job = job_out(row)
    if row.labelled and row.status in FINAL:
        counts = evaluations.evaluation(connection, row)
        job.evaluation = evaluation_out(counts) if counts else None
    return job


def job_out(row: Any) -> JobOut:
    """A row of `jobs`, neither evaluated nor with results."""
    url = job_url(row.id)
    return JobOut(
        id=row.id,
        status=row.status,
        lane=row.lane,
        model=row.model,
        warning=WITHOUT_WORKER.format(row.model) if row.without_worker and row.status != JobStatus.PAUSED else None,
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
        reviews_per_second=row.reviews_per_second,
        remaining_seconds=_remaining_seconds(row),
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        deadline_at=row.deadline_at,
        timings_ms=JobTimings(
            queued=_milliseconds(row.created_at, row.started_at), total=_milliseconds(row.created_at, row.finished_at)
        ),
        file=_file(row.layout),
        evaluation=None,
        urls=Urls(self=url, **{name: f"{url}/{name}" for name in Urls.model_fields if name != "self"}),
        results=None,
    )


def _remaining_seconds(row: Any) -> float | None:
    if row.status in FINAL:
        return 0.0
    return (row.queued + row.processing) / row.reviews_per_second if row.reviews_per_second else None


def _file(layout: dict[str, Any] | None) -> File | None:
    if layout is None:
        return None
    known = {name: layout[name] for name in ("columns", "delimiter", "encoding")}
    return File(
        text_column=layout["columns"][layout["text"]],
        quoting=layout.get("quoting", "doubled"),
        notes=layout.get("notes", []),
        **known,
    )


def _milliseconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else round((end - start).total_seconds() * 1000, 3)


def result(row: Any) -> Result:
    """A row of `db.reviews.page`."""
    judged = row.status == ReviewStatus.SUCCEEDED
    return Result(
        review_id=row.review_id,
        id=row.caller_id,
        index=row.index,
        line=row.line,
        status=row.status,
        sentiment=row.labels[row.label] if judged else None,
        confidence=row.probabilities[row.label] if judged else None,
        probabilities=dict(zip(row.labels, row.probabilities, strict=True)) if judged else None,
        similar_reviews=row.similar_reviews or [],
        model=ResultModel(name=row.model, version=row.version, precision=row.precision, stage=row.stage)
        if row.model
        else None,
        warnings=row.warnings,
        cached=row.cached,
        truncated=row.truncated,
        tokens=row.tokens,
        timings_ms=ResultTimings(queued=row.queued_ms, inference=row.inference_ms),
        error=ResultError(code=row.error_code, detail=row.error_detail, attempts=row.attempts or 0)
        if row.error_code
        else None,
    )
