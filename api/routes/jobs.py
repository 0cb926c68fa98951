"""Submit a job and look at it: the start and the end of the story of a review.

`submit` adds the job in one transaction (db.submissions), rings (broker.wakeups) and answers 202, or waits and answers
200 (broker.job_waiter). A job that comes as a file takes its own way in: api.routes.uploads.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.errors import REFUSALS
from api.http.idempotency import Idempotency, OptionalKey, once
from api.http.prefer import WaitSeconds
from api.http.upload_options import FILE_BODIES
from api.schemas import JobIn, JobOut
from api.serialize import job_as_it_is
from api.state import ApiState, StateDep
from api.submission import ANSWERS, SubmitRoute, accepted, count_submission, new_job
from db import submissions
from db.engine import Connection, reading
from db.models import ModelLane
from db.submissions import NewJob

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=SubmitRoute, responses=REFUSALS)

Wait = Annotated[float, Query(ge=0, allow_inf_nan=False, description="Wait for the end up to this many seconds.")]


@router.post("/jobs", status_code=202, responses=ANSWERS, openapi_extra=FILE_BODIES)
async def submit(  # noqa: PLR0913, PLR0917  what FastAPI hands over
    body: JobIn, request: Request, response: Response, state: StateDep, key: OptionalKey, wait: WaitSeconds
) -> JobOut:
    """Submit reviews: `202` with `Location` at once, or with `Prefer: wait=2` a `200` if all ends in time."""
    return accepted(await submit_job(request, new_job(body, state), body.model, response, key, wait), response, wait)


@router.get("/jobs/{job_id}")
async def show(job_id: UUID, state: StateDep, wait: Wait = 0) -> JobOut:
    """A job: where it stands, and its results when it is small."""
    return await look(state, job_id, wait)


async def submit_job(  # noqa: PLR0913, PLR0917  a job, and what it was sent with
    request: Request, new: NewJob, model: str | None, response: Response, key: Idempotency | None, wait: float
) -> JobOut:
    """Add the job for the model it names, or for the one that is served; COMMIT, ring, and look at it.

    Raises:
        Overloaded, NotReady, NoWorker, InvalidRequest: too much stands before it, or no model can be chosen.
    """
    state: ApiState = request.app.state.service
    distinct = {each.text: each.tokens_estimate for each in new.reviews}
    tokens = sum(distinct.values())
    if chosen := state.models.remembered(model):
        state.admission.check(ModelLane(chosen, new.lane), tokens)
    with state.admission.submitting(tokens):
        job_id, queue = await run_in_threadpool(_add, state, new, model, key, response)
    request.state.job_id = job_id
    if queue:
        state.waker.wake(queue)
    count_submission(queue, len(new.reviews), len(distinct))
    return await look(state, job_id, wait, new=queue is not None)


def _add(
    state: ApiState, new: NewJob, model: str | None, key: Idempotency | None, response: Response
) -> tuple[UUID, ModelLane | None]:
    """The job, and the queue that it was added to; None when the key says that it was added before."""
    added: list[ModelLane] = []

    def add(connection: Connection) -> UUID:
        queue = ModelLane(state.models.choose(connection, model, "/model"), new.lane)
        job_id = submissions.add(connection, new, queue.model, state.admission.within(queue))
        added.append(queue)
        return job_id

    if key:
        job_id = once(state, key, response, add)
        return job_id, added[0] if added else None
    chosen = state.models.remembered(model)
    if chosen is None:
        with reading(state.engine) as connection:
            chosen = state.models.choose(connection, model, "/model")
    queue = ModelLane(chosen, new.lane)
    return submissions.add_in_one_trip(state.engine, new, chosen, state.admission.within(queue)), queue


async def look(state: ApiState, job_id: UUID, wait: float = 0, *, new: bool = False) -> JobOut:
    """The job as it is, or as it is at its end if that comes within `wait` seconds."""

    def read(only_ended: bool) -> JobOut | None:
        return job_as_it_is(state.engine, job_id, only_ended=only_ended)

    seconds = min(wait, state.settings.max_wait_seconds)
    return await state.job_waiter.wait(job_id, seconds, lambda ended: run_in_threadpool(read, ended), new=new)
