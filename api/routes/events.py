"""A job as it moves: server-sent events, for pages and command lines that show progress.

Looks at the job once a second, and at once when the worker says that it ended (broker.job_waiter). FastAPI writes the
events and, after 15 quiet seconds, a comment; it ends the generator when the client has gone. A server that is told to
end ends its streams, and clients go on at the next with `Last-Event-ID`.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.errors import REFUSALS, UnknownJob
from api.http.strict_json import StrictRoute
from api.schemas import JobOut
from api.serialize import job_with_evaluation
from api.state import ApiState, StateDep
from db import jobs
from db.engine import DatabaseError, transaction
from db.jobs import FINAL

LOOK_SECONDS = 1.0

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute, responses=REFUSALS)


def _seen(job_id: UUID, state: StateDep) -> JobOut:
    """The job, before the stream begins: once it has begun there is no way to say 404."""
    job = _read(state, job_id)
    if job is None:
        raise UnknownJob
    return job


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def events(
    job: Annotated[JobOut, Depends(_seen)],
    state: StateDep,
    last_event_id: Annotated[
        str | None, Header(description="`id` of the last event you have; a state that you know is not repeated.")
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow a job: `progress` whenever it has moved, at most once a second, and `end` when it has finished.

    The data is the job without its results.
    """
    seen: JobOut | None = job
    while seen and not state.stopping.is_set():  # none when it is deleted
        ended, event_id = seen.status in FINAL, _state(seen)
        if event_id != last_event_id:
            yield ServerSentEvent(event="end" if ended else "progress", id=event_id, data=seen)
            last_event_id = event_id
        if ended:
            return
        seen = await _next_look(state, seen.id)


async def _next_look(state: ApiState, job_id: UUID) -> JobOut | None:
    """The job a second later, or when it ends if that is earlier."""
    first = True

    async def look(only_ended: bool) -> tuple[JobOut | None] | None:
        nonlocal first
        if first:  # the caller has just looked
            first = False
            return None
        job = await run_in_threadpool(_read, state, job_id)
        return None if only_ended and job and job.status not in FINAL else (job,)

    while True:
        with suppress(DatabaseError):  # the stream goes on as soon as the store is back
            [job] = await state.job_waiter.wait(job_id, LOOK_SECONDS, look)
            return job
        first = True


def _read(state: ApiState, job_id: UUID) -> JobOut | None:
    with transaction(state.engine) as connection:
        row = jobs.get(connection, job_id)
        return None if row is None else job_with_evaluation(connection, row)


def _state(job: JobOut) -> str:
    """Equal for equal states; the pace moves with the clock, and so is none of it."""
    said = job.model_dump_json(exclude={"reviews_per_second", "remaining_seconds"})
    return hashlib.sha256(said.encode()).hexdigest()[:16]
