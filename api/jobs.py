"""Submit a job and look at it: the start and the end of the story of a review.

`submit` adds the job in one transaction (db.submissions), rings (worker.queue) and answers 202, or waits and answers
200 (api.waiting). A job that comes as a file takes its own way in: api.uploads.
"""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from api.accepting import ANSWERS, accepted, require_model
from api.errors import REFUSALS, InvalidRequest, Pointed
from api.file_bodies import FILE_BODIES
from api.idempotency import Idempotency, OptionalKey, once
from api.requests import StrictRoute, WaitSeconds
from api.schemas import JobIn, JobOut
from api.service import Service, ServiceDep
from api.views import job_with_results, known
from db import jobs, submissions
from db.engine import Connection, transaction
from db.jobs import FINAL
from db.models import Lane
from db.submissions import NewJob, NewReview
from monitoring.metrics import JOBS_SUBMITTED, REVIEWS_SUBMITTED

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute, responses=REFUSALS)

Wait = Annotated[float, Query(ge=0, allow_inf_nan=False, description="Wait for the end up to this many seconds.")]


@router.post("/jobs", status_code=202, responses=ANSWERS, openapi_extra=FILE_BODIES)
async def submit(body: JobIn, response: Response, service: ServiceDep, key: OptionalKey, wait: WaitSeconds) -> JobOut:
    """Submit reviews: `202` with `Location` at once, or with `Prefer: wait=2` a `200` if all ends in time."""
    return accepted(await submit_job(service, new_job(body, service), response, key, wait), response, wait)


@router.get("/jobs/{job_id}")
async def show(job_id: UUID, service: ServiceDep, wait: Wait = 0) -> JobOut:
    """A job: where it stands, and its results when it is small."""
    return await look(service, job_id, wait)


def new_job(body: JobIn, service: Service, pointer: str = "/reviews/{}/text") -> NewJob:
    """A body as a job to add, in the lane that fits its size.

    Raises:
        InvalidRequest: more or longer reviews than the settings allow.
    """
    settings, reviews = service.settings, body.reviews
    if len(reviews) > settings.max_reviews:
        detail = f"holds {len(reviews)} reviews; a job may hold {settings.max_reviews}"
        raise InvalidRequest(errors=[Pointed("/reviews", detail)])
    too_long = [index for index, each in enumerate(reviews) if len(each.text) > settings.max_review_chars]
    if too_long:
        detail = f"is longer than {settings.max_review_chars} characters"
        raise InvalidRequest(errors=[Pointed(pointer.format(index), detail) for index in too_long])
    return NewJob(
        lane=Lane.INTERACTIVE if len(reviews) <= settings.interactive_max_reviews else Lane.BULK,
        model=body.model,
        metadata=dict(body.metadata),
        deadline=None if body.deadline_seconds is None else timedelta(seconds=body.deadline_seconds),
        reviews=[NewReview(each.text, each.id, each.tokens_estimate) for each in reviews],
        similar_wanted=body.similar_wanted,
    )


async def submit_job(service: Service, new: NewJob, response: Response, key: Idempotency | None, wait: float) -> JobOut:
    """Add the job and COMMIT, ring, and look at it: at once or, with `wait`, at its end if that comes in time."""

    def add(connection: Connection) -> UUID:
        require_model(connection, new.model, "/model")
        return submissions.add(connection, new)

    job_id = await run_in_threadpool(once, service, key, response, add)
    if "Idempotent-Replayed" not in response.headers:
        JOBS_SUBMITTED.labels(new.lane).inc()
        REVIEWS_SUBMITTED.labels(new.lane).inc(len(new.reviews))
    service.doorbell.ring(new.lane)
    return await look(service, job_id, wait)


async def look(service: Service, job_id: UUID, wait: float = 0) -> JobOut:
    """The job as it is, or as it is at its end if that comes within `wait` seconds."""

    def read(only_ended: bool) -> JobOut | None:
        with transaction(service.engine) as connection:
            job = known(jobs.get(connection, job_id))
            return None if only_ended and job.status not in FINAL else job_with_results(connection, job)

    seconds = min(wait, service.settings.max_wait_seconds)
    return await service.waiting_room.wait(job_id, seconds, lambda only_ended: run_in_threadpool(read, only_ended))
