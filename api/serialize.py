"""Turn database rows into the schemas that callers see."""

from datetime import datetime
from typing import Any
from uuid import UUID

from api.errors import UnknownJob
from api.evaluation import evaluation_out
from api.http.proxies import path_prefix
from api.schemas import Counts, File, JobOut, JobTimings, Result, ResultError, ResultModel, ResultTimings, Urls
from db import evaluations, jobs, reviews
from db.engine import Engine, read_only, transaction
from db.jobs import FINAL
from db.models import JobStatus, ReviewStatus

INLINE_RESULTS = 100
WITHOUT_WORKER = "No live worker serves the model {}; the job is kept and waits until one does."


def job_url(job_id: UUID) -> str:
    """Return the path of a job, below the path prefix of the request."""
    return f"{path_prefix.get()}/v1/jobs/{job_id}"


def or_404(row: Any) -> Any:
    """Return the row of a job.

    Raises:
        UnknownJob: `row` is None.
    """
    if row is None:
        raise UnknownJob
    return row


def read_job(engine: Engine, job_id: UUID, *, only_ended: bool = False) -> JobOut | None:
    """Return a job, with its results if it is small; with `only_ended`, None while the job is unfinished.

    Raises:
        UnknownJob: There is no such job.
    """
    row, page = reviews.of_job(engine, job_id, INLINE_RESULTS)
    row = or_404(row)
    if only_ended and row.status not in FINAL:
        return None
    job = _evaluated(engine, row)
    job.results = [result_out(each) for each in page] if row.total <= INLINE_RESULTS else None
    return job


def read_without_results(engine: Engine, job_id: UUID) -> JobOut | None:
    """Return a job without its results, or None if there is no such job."""
    with read_only(engine) as connection:
        row = jobs.get(connection, job_id)
    return None if row is None else _evaluated(engine, row)


def _evaluated(engine: Engine, row: Any) -> JobOut:
    """Return a job, evaluated if it has finished and has labels. The first reader computes and stores the counts."""
    job = job_out(row)
    if row.labelled and row.status in FINAL:
        with transaction(engine) as connection:
            counts = evaluations.evaluation(connection, row)
        job.evaluation = evaluation_out(counts) if counts else None
    return job


def job_out(row: Any) -> JobOut:
    """Return a job without its evaluation and without its results."""
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


def result_out(row: Any) -> Result:
    """Return the result for a row of `db.reviews.page`."""
    has_prediction = row.status == ReviewStatus.SUCCEEDED
    return Result(
        review_id=row.review_id,
        id=row.caller_id,
        index=row.index,
        line=row.line,
        status=row.status,
        sentiment=row.labels[row.label] if has_prediction else None,
        confidence=row.probabilities[row.label] if has_prediction else None,
        probabilities=dict(zip(row.labels, row.probabilities, strict=True)) if has_prediction else None,
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
