"""What else can be done with jobs: list, pause, resume, cancel, retry, delete."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from api.errors import REFUSALS, UnknownJob, WrongState
from api.http.idempotency import Idempotency, OptionalKey, once
from api.http.strict_json import StrictRoute
from api.routes.jobs import look
from api.schemas import JobOut, Page
from api.serialize import job_out, or_404
from api.state import ApiState, StateDep
from db import jobs
from db.engine import Connection, transaction
from db.jobs import FINAL, Ended
from db.models import JobStatus, ModelLane
from monitoring.metrics import RESULTS

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute, responses=REFUSALS)

Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/jobs")
def list_jobs(
    state: StateDep, status: JobStatus | None = None, after: UUID | None = None, limit: Limit = 20
) -> Page[JobOut]:
    """Jobs, newest first, without their results."""
    with transaction(state.engine) as connection:
        page = jobs.page(connection, status, after, limit)
    return Page(data=[job_out(row) for row in page], next=str(page[-1].id) if len(page) == limit else None)


@router.post("/jobs/{job_id}/pause")
async def pause(job_id: UUID, response: Response, state: StateDep, key: OptionalKey) -> JobOut:
    """Let a job rest: what a worker has begun is finished, nothing more is begun. A paused job stays as it is."""

    def act(connection: Connection, job: Any) -> None:
        jobs.pause(connection, _unfinished(job, "pause"))

    return await _change(state, job_id, response, key, act)


@router.post("/jobs/{job_id}/resume")
async def resume(job_id: UUID, response: Response, state: StateDep, key: OptionalKey) -> JobOut:
    """Let a paused job go on. A job that is not paused stays as it is."""

    def act(connection: Connection, job: Any) -> None:
        jobs.resume(connection, _unfinished(job, "resume"))

    return _rung(state, await _change(state, job_id, response, key, act))


@router.post("/jobs/{job_id}/cancel")
async def cancel(job_id: UUID, response: Response, state: StateDep, key: OptionalKey) -> JobOut:
    """Stop a job; finished reviews keep their results. Cancelling a finished job changes nothing."""

    def act(connection: Connection, job: Any) -> Ended | None:
        return None if job.status in FINAL else jobs.stop(connection, job, JobStatus.CANCELLED)

    return await _change(state, job_id, response, key, act)


@router.post("/jobs/{job_id}/retry", status_code=202)
async def retry(job_id: UUID, response: Response, state: StateDep, key: OptionalKey) -> JobOut:
    """Queue a job's failed reviews again. Without failed reviews nothing changes."""

    def act(connection: Connection, job: Any) -> None:
        if job.status in {JobStatus.CANCELLED, JobStatus.EXPIRED}:
            raise WrongState(f"The job is {job.status}; submit its reviews again instead.")
        jobs.retry(connection, job)

    return _rung(state, await _change(state, job_id, response, key, act))


@router.delete("/jobs/{job_id}", status_code=204)
def delete(job_id: UUID, state: StateDep) -> None:
    """Erase a job, its texts and its results, whatever its state."""
    with transaction(state.engine) as connection:
        if not jobs.delete(connection, job_id):
            raise UnknownJob


async def _change(
    state: ApiState,
    job_id: UUID,
    response: Response,
    key: Idempotency | None,
    act: Callable[[Connection, Any], Ended | None],
) -> JobOut:
    """Do `act` to the locked job, once for a key, and count the rows that it cancelled; the job as it is then."""
    cancelled: list[Ended] = []

    def change(connection: Connection) -> UUID:
        cancelled.extend(filter(None, [act(connection, or_404(jobs.lock(connection, job_id)))]))
        return job_id

    await run_in_threadpool(once, state, key, response, change)
    for each in cancelled:  # after COMMIT
        RESULTS.labels(each.lane, "cancelled", "").inc(each.rows)
    return await look(state, job_id)


def _unfinished(job: Any, verb: str) -> Any:
    if job.status in FINAL:
        raise WrongState(f"The job is {job.status}; there is nothing to {verb}.")
    return job


def _rung(state: ApiState, job: JobOut) -> JobOut:
    state.waker.wake(ModelLane(job.model, job.lane))
    return job
