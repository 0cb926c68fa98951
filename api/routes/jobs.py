"""Submit a job as JSON, and read it. Jobs that come as a file are in api.routes.uploads."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.errors import InvalidRequest, UnknownJob
from api.http.idempotency import Idempotency, OptionalKey, once
from api.http.prefer import WaitQuery, WaitSeconds
from api.http.upload_options import FILE_BODIES
from api.problems import DATABASE, refusals
from api.schemas import JobIn, JobOut
from api.serialize import read_job
from api.state import ApiState, StateDep, state_of
from api.submission import SUBMIT_ANSWERS, SubmitRoute, accepted, count_submission, new_job
from db import submissions
from db.engine import Connection, reading
from db.models import ModelLane
from db.submissions import NewJob

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=SubmitRoute)


@router.post("/jobs", status_code=202, responses=SUBMIT_ANSWERS, openapi_extra=FILE_BODIES)
async def submit(  # noqa: PLR0913, PLR0917  FastAPI passes each as a parameter
    body: JobIn, request: Request, response: Response, state: StateDep, key: OptionalKey, wait: WaitSeconds
) -> JobOut:
    """Submit reviews as JSON or as a file: `202` with `Location`; `200` if `Prefer: wait=2` and the job ends in 2 s."""
    return accepted(await submit_job(request, new_job(body, state), body.model, response, key, wait), response, wait)


@router.get("/jobs/{job_id}", responses=refusals(UnknownJob, InvalidRequest, *DATABASE))
async def show(job_id: UUID, state: StateDep, wait: WaitQuery = 0) -> JobOut:
    """Return a job: its state, its progress and, if it has at most 100 rows, its results."""
    return await wait_for_job(state, job_id, wait)


async def submit_job(  # noqa: PLR0913, PLR0917  a job, and the parts of the request that belong to it
    request: Request, new: NewJob, model: str | None, response: Response, key: Idempotency | None, wait: float
) -> JobOut:
    """Add a job for the model that it names, or for the default; wake workers, and return the job.

    Raises:
        Overloaded: The queue is full.
        NotReady, NoWorker, InvalidRequest: No model can be chosen.
    """
    state = state_of(request.app)
    distinct = {each.text: each.tokens_estimate for each in new.reviews}
    tokens = sum(distinct.values())
    if chosen := state.models.cached(model):
        state.admission.check(ModelLane(chosen, new.lane), tokens)
    with state.admission.submitting(tokens):
        job_id, queue = await run_in_threadpool(_add, state, new, model, key, response)
    request.state.job_id = job_id
    if queue:
        state.waker.wake(queue)
    count_submission(queue, len(new.reviews), len(distinct))
    return await wait_for_job(state, job_id, wait, new=queue is not None)


def _add(
    state: ApiState, new: NewJob, model: str | None, key: Idempotency | None, response: Response
) -> tuple[UUID, ModelLane | None]:
    """Return the job, and the queue that it was added to; None for the queue if the key was used before."""
    added: list[ModelLane] = []

    def add(connection: Connection) -> UUID:
        queue = ModelLane(state.models.choose(connection, model, "/model"), new.lane)
        job_id = submissions.add(connection, new, queue.model, state.admission.limit(queue))
        added.append(queue)
        return job_id

    if key:
        job_id = once(state, key, response, add)
        return job_id, added[0] if added else None
    chosen = state.models.cached(model)
    if chosen is None:
        with reading(state.engine) as connection:
            chosen = state.models.choose(connection, model, "/model")
    queue = ModelLane(chosen, new.lane)
    return submissions.add_in_one_trip(state.engine, new, chosen, state.admission.limit(queue)), queue


async def wait_for_job(state: ApiState, job_id: UUID, wait: float = 0, *, new: bool = False) -> JobOut:
    """Return a job at its end, or after `wait` seconds if it has not ended by then."""

    async def read(only_ended: bool) -> JobOut | None:
        return await run_in_threadpool(read_job, state.engine, job_id, only_ended=only_ended)

    return await state.job_waiter.wait(job_id, min(wait, state.settings.max_wait_seconds), read, new=new)
