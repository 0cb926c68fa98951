"""The SLA report: targets, figures and error budgets from PostgreSQL, and the queues as they are now.

`verdict sla` and the status view of the web page show it. `verdict sla --prometheus` adds figures that only Prometheus
has, such as memory and CPU.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from api.errors import FieldError, InvalidRequest
from api.problems import DATABASE, refusals
from api.state import ApiState, StateDep
from db import sla
from db.engine import read_only
from db.models import Lane
from monitoring.sla import Measured, Unfinished, all_met, headline, judge, served, window_of, with_overdue

# Share of one CPU core of PostgreSQL that measuring may take, however many callers there are: figures are cached for
# 1 / COST times the duration of their measurement.
COST = 0.05
LEAST_SECONDS = 1.0

router = APIRouter(prefix="/v1", tags=["sla"])


class TargetOut(BaseModel):
    """One target of the SLA, and its measured figure."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    unit: Literal["ratio", "ms", "rows"]
    figure: float | None = Field(description="The measured value; null if too little was counted.")
    limit: float = Field(description="The largest value that meets the target; the smallest if `is_floor`.")
    is_floor: bool = Field(description="Whether the figure must be at least the limit, as for accuracy.")
    met: bool | None = Field(description="Whether the target is met; null if too little was counted.")
    budget_left: float | None = Field(
        description="Share of the error budget that is left: 1 at the start, 0 at the limit, negative beyond it."
    )
    counted: int = Field(
        description="Number of requests, rows, reviews or feedbacks behind the figure. Counted requests submit, read or"
        " change a job or a review; reviews without a result count once they are slow."
    )
    missed: int | None = Field(description="Number of them that miss the target.")


class LaneOut(BaseModel):
    """The queue of one lane of a model."""

    model_config = ConfigDict(from_attributes=True)

    model: str
    lane: Lane
    queued: int = Field(description="Rows in the queue.")
    processing: int = Field(description="Rows that workers have claimed.")
    oldest_seconds: float = Field(description="Age of the oldest job with a queued row; 0 if the queue is empty.")


class SlaOut(BaseModel):
    """The SLA over the window that ends at `measured_at`, and the queues as they are now."""

    window: str
    measured_at: datetime = Field(
        description="Time of the measurement. Figures are cached for 1 s, or for 20 times the duration of measuring."
    )
    met: bool | None = Field(description="Whether every target with a figure is met; null if none has a figure.")
    headline: str = Field(description="The result in a sentence, with the number of rows that no live worker serves.")
    targets: list[TargetOut]
    lanes: list[LaneOut]


@dataclass(slots=True)
class SlaCache:
    """Cached figures by window. One window is measured at a time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    cached: dict[timedelta, tuple[Measured, datetime, float]] = field(default_factory=dict)

    async def of(self, state: ApiState, window: timedelta) -> tuple[Measured, datetime]:
        """Return the figures of a window, and the time of their measurement. Waiting for the lock takes no thread."""
        async with self.lock:
            self.cached = {each: entry for each, entry in self.cached.items() if entry[2] > time.monotonic()}
            if window not in self.cached:
                self.cached[window] = await run_in_threadpool(_measure, state, window)
            measured, at, _ = self.cached[window]
            return measured, at


def _measure(state: ApiState, window: timedelta) -> tuple[Measured, datetime, float]:
    """Return the figures, the time of their measurement, and the end of their validity on the monotonic clock."""
    began = time.monotonic()
    with read_only(state.engine) as connection:
        measured = sla.measure(connection, window)
    ended = time.monotonic()
    return measured, datetime.now(UTC), ended + max(LEAST_SECONDS, (ended - began) / COST)


async def _cache(request: Request) -> SlaCache:
    return request.app.state.sla_cache  # type: ignore[no-any-return]  # Starlette's state is untyped


Window = Annotated[str, Query(description="A number with s, m, h or d, from `1m` to `30d`.", max_length=20)]


@router.get("/sla", responses=refusals(InvalidRequest, *DATABASE))
async def show_sla(state: StateDep, cache: Annotated[SlaCache, Depends(_cache)], window: Window = "1h") -> SlaOut:
    """Return the targets of the SLA with their figures over the last `window`, and the queues as they are now.

    The figures count the requests answered, the jobs ended, the interactive reviews submitted and the feedback given
    within the window.
    """
    measured, at = await cache.of(state, _parsed(window))
    lanes, unfinished = await run_in_threadpool(_queues, state)
    verdicts = [*judge(with_overdue(measured, unfinished)), served(unfinished.waiting, unfinished.stranded)]
    return SlaOut(
        window=window,
        measured_at=at,
        met=all_met(verdicts),
        headline=headline(verdicts, unfinished),
        targets=[TargetOut.model_validate(each) for each in verdicts],
        lanes=lanes,
    )


def _queues(state: ApiState) -> tuple[list[LaneOut], Unfinished]:
    with read_only(state.engine) as connection:
        lanes = [LaneOut.model_validate(each) for each in sla.queue_depths(connection)]
        return lanes, sla.unfinished(connection)


def _parsed(window: str) -> timedelta:
    try:
        return window_of(window)
    except ValueError as error:
        raise InvalidRequest(errors=[FieldError("query/window", str(error))]) from error
