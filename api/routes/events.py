"""The progress of a job as server-sent events.

The job is read once a second, and at once when a worker reports its end (broker.job_waiter). FastAPI formats the
events, sends a comment after 15 s without one, and ends the generator when the client disconnects. At shutdown the
streams end, and clients continue at another process with `Last-Event-ID`.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.errors import InvalidRequest, UnknownJob
from api.http.strict_json import StrictRoute
from api.problems import DATABASE, refusals
from api.schemas import JobOut
from api.serialize import read_without_results
from api.state import ApiState, StateDep
from db.engine import DatabaseError
from db.jobs import FINAL

READ_SECONDS = 1.0

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute)


def _job_or_404(job_id: UUID, state: StateDep) -> JobOut:
    """Return the job before the stream starts: afterwards a 404 is no longer possible."""
    job = read_without_results(state.engine, job_id)
    if job is None:
        raise UnknownJob
    return job


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses=refusals(UnknownJob, InvalidRequest, *DATABASE),
)
async def events(
    job: Annotated[JobOut, Depends(_job_or_404)],
    state: StateDep,
    last_event_id: Annotated[
        str | None, Header(description="`id` of the last event you received; an unchanged job is not sent again.")
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow a job by server-sent events: `progress` after a change, at most once a second, and `end` at its end.

    The data of an event is the job without its results.
    """
    current: JobOut | None = job
    while current and not state.stopping.is_set():  # None after the job was deleted
        ended, event_id = current.status in FINAL, _event_id(current)
        if event_id != last_event_id:
            yield ServerSentEvent(event="end" if ended else "progress", id=event_id, data=current)
            last_event_id = event_id
        if ended:
            return
        current = await _read_later(state, current.id)


async def _read_later(state: ApiState, job_id: UUID) -> JobOut | None:
    """Return the job READ_SECONDS later, or at its end if that is earlier; None if it was deleted."""
    is_first = True

    async def read(only_ended: bool) -> tuple[JobOut | None] | None:
        nonlocal is_first
        if is_first:  # the job was read just before
            is_first = False
            return None
        job = await run_in_threadpool(read_without_results, state.engine, job_id)
        return None if only_ended and job and job.status not in FINAL else (job,)

    while True:
        with suppress(DatabaseError):  # the stream goes on once PostgreSQL is back
            [job] = await state.job_waiter.wait(job_id, READ_SECONDS, read)
            return job
        is_first = True


def _event_id(job: JobOut) -> str:
    """Return an id of the job's state, without its pace, which changes with the clock."""
    state = job.model_dump_json(exclude={"reviews_per_second", "remaining_seconds"})
    return hashlib.sha256(state.encode()).hexdigest()[:16]
