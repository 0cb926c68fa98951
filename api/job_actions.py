"""What else can be done with jobs: page through results, list, cancel, retry, delete."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from api.errors import REFUSALS, UnknownJob, WrongState
from api.idempotency import OptionalKey, once
from api.jobs import look
from api.requests import StrictRoute
from api.schemas import JobOut, Page, Result
from api.service import ServiceDep
from api.views import job_out, result
from db import jobs, reviews
from db.engine import Connection, transaction
from db.jobs import FINAL
from db.models import JobStatus, ReviewStatus

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute, responses=REFUSALS)

Limit = Annotated[int, Query(ge=1, le=500)]
After = Annotated[int, Query(ge=-1, le=2**31 - 1, description="`next` of the page before.")]


@router.get("/jobs/{job_id}/results")
def results(
    job_id: UUID, service: ServiceDep, status: ReviewStatus | None = None, after: After = -1, limit: Limit = 100
) -> Page[Result]:
    """Results in the order the reviews were sent, a page at a time; also while the job runs."""
    with transaction(service.engine) as connection:
        if jobs.get(connection, job_id) is None:
            raise UnknownJob
        page = reviews.page(connection, job_id, status=status, after=after, limit=limit)
    return Page(data=[result(row) for row in page], next=str(page[-1].index) if len(page) == limit else None)


@router.get("/jobs")
def list_jobs(
    service: ServiceDep, status: JobStatus | None = None, after: UUID | None = None, limit: Limit = 20
) -> Page[JobOut]:
    """Jobs, newest first, without their results."""
    with transaction(service.engine) as connection:
        page = jobs.page(connection, status, after, limit)
    return Page(data=[job_out(row) for row in page], next=str(page[-1].id) if len(page) == limit else None)


@router.post("/jobs/{job_id}/cancel")
async def cancel(job_id: UUID, response: Response, service: ServiceDep, key: OptionalKey) -> JobOut:
    """Stop a job; finished reviews keep their results. Cancelling a finished job changes nothing."""

    def act(connection: Connection) -> UUID:
        job = jobs.lock(connection, job_id)
        if job is None:
            raise UnknownJob
        if job.status not in FINAL:
            jobs.stop(connection, job, JobStatus.CANCELLED)
        return job_id

    await run_in_threadpool(once, service, key, response, act)
    return await look(service, job_id)


@router.post("/jobs/{job_id}/retry", status_code=202)
async def retry(job_id: UUID, response: Response, service: ServiceDep, key: OptionalKey) -> JobOut:
    """Queue a job's failed reviews again. Without failed reviews nothing changes."""

    def act(connection: Connection) -> UUID:
        job = jobs.lock(connection, job_id)
        if job is None:
            raise UnknownJob
        if job.status in {JobStatus.CANCELLED, JobStatus.EXPIRED}:
            raise WrongState(f"The job is {job.status}; submit its reviews again instead.")
        jobs.retry(connection, job)
        return job_id

    await run_in_threadpool(once, service, key, response, act)
    job = await look(service, job_id)
    service.doorbell.ring(job.lane)
    return job


@router.delete("/jobs/{job_id}", status_code=204)
def delete(job_id: UUID, service: ServiceDep) -> None:
    """Erase a job, its texts and its results, whatever its state."""
    with transaction(service.engine) as connection:
        if not jobs.delete(connection, job_id):
            raise UnknownJob
