"""List, pause, resume, cancel, retry and delete jobs."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from api.errors import BodyTooLarge, InvalidRequest, KeyReused, UnknownJob, WrongState
from api.http.idempotency import Idempotency, OptionalKey, once
from api.http.strict_json import StrictRoute
from api.problems import DATABASE, refusals
from api.routes.jobs import wait_for_job
from api.schemas import JobOut, Page
from api.serialize import job_out, or_404
from api.state import ApiState, StateDep
from db import jobs
from db.engine import Connection, read_only, transaction
from db.jobs import FINAL, Ended
from db.models import JobStatus, ModelLane
from monitoring.metrics import RESULTS

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute)

# A body is ignored, but with a key it is a part of the request that the key stands for, and is read.
CHANGE_ERRORS = (UnknownJob, InvalidRequest, KeyReused, BodyTooLarge, *DATABASE)

Status = Annotated[JobStatus | None, Query(description="List only jobs in this state.")]
After = Annotated[UUID | None, Query(description="`next` of the previous page: list only jobs older than this one.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Number of jobs in a page.")]


@router.get("/jobs", responses=refusals(InvalidRequest, *DATABASE))
def list_jobs(state: StateDep, status: Status = None, after: After = None, limit: Limit = 20) -> Page[JobOut]:
    """List jobs, newest first, without their results."""
    with read_only(state.engine) as connection:
        page = jobs.page(connection, status, after, limit)
    return Page(data=[job_out(row) for row in page], next=str(page[-1].id) if len(page) == limit else None)


@router.post("/jobs/{job_id}/pause", responses=refusals(*CHANGE_ERRORS, WrongState))
async def pause(job_id: UUID, response: Response, state: StateDep, key: OptionalKey) -> JobOut:
    """Pause a job: reviews that a worker has claimed are finished, the others stay queued. Repeating it is allowed."""

    def act(connection: Connection, job: Any) -> None:
        jobs.pause(connection, _unfinished(job, "pause"))

    return await _change(state, job_id, response, key, act)


@router.post("/jobs/{job_id}/resume", responses=refusals(*CHANGE_ERRORS, WrongState))
async def resume(job_id: UUID, response: Response, state: StateDep, key: OptionalKey) -> JobOut:
    """Resume a paused job. An unfinished job that is not paused stays as it is."""

    def act(connection: Connection, job: Any) -> None:
        jobs.resume(connection, _unfinished(job, "resume"))

    return _wake_workers(state, await _change(state, job_id, response, key, act))


@router.post("/jobs/{job_id}/cancel", responses=refusals(*CHANGE_ERRORS))
async def cancel(job_id: UUID, response: Response, state: StateDep, key: OptionalKey) -> JobOut:
    """Cancel a job. Finished reviews keep their results. Cancelling a finished job changes nothing."""

    def act(connection: Connection, job: Any) -> Ended | None:
        return None if job.status in FINAL else jobs.stop(connection, job, JobStatus.CANCELLED)

    return await _change(state, job_id, response, key, act)


@router.post("/jobs/{job_id}/retry", status_code=202, responses=refusals(*CHANGE_ERRORS, WrongState))
async def retry(job_id: UUID, response: Response, state: StateDep, key: OptionalKey) -> JobOut:
    """Queue the failed reviews of a job again. A job without failed reviews stays as it is."""

    def act(connection: Connection, job: Any) -> None:
        if job.status in {JobStatus.CANCELLED, JobStatus.EXPIRED}:
            raise WrongState(f"The job is {job.status}; submit its reviews again instead.")
        jobs.retry(connection, job)

    return _wake_workers(state, await _change(state, job_id, response, key, act))


@router.delete("/jobs/{job_id}", status_code=204, responses=refusals(UnknownJob, InvalidRequest, *DATABASE))
def delete(job_id: UUID, state: StateDep) -> None:
    """Delete a job in any state, with its texts, results and feedback."""
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
    """Run `act` on the locked job, once for a key; count the rows that it cancelled, and return the job."""
    cancelled: list[Ended] = []

    def change(connection: Connection) -> UUID:
        cancelled.extend(filter(None, [act(connection, or_404(jobs.lock(connection, job_id)))]))
        return job_id

    await run_in_threadpool(once, state, key, response, change)
    for each in cancelled:  # after COMMIT
        RESULTS.labels(each.lane, "cancelled", "").inc(each.rows)
    return await wait_for_job(state, job_id)


def _unfinished(job: Any, verb: str) -> Any:
    if job.status in FINAL:
        raise WrongState(f"The job is {job.status}; there is nothing to {verb}.")
    return job


def _wake_workers(state: ApiState, job: JobOut) -> JobOut:
    state.waker.wake(ModelLane(job.model, job.lane))
    return job
