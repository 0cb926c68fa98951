"""The SLA of the service as its own store knows it: targets, figures, what is left of the error budgets, what waits.

Asked by `verdict sla` and the web page's status view. Prometheus knows more (memory, CPU): `verdict sla --prometheus`.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from api.errors import FieldError, InvalidRequest, refusals
from api.state import ApiState, StateDep
from db import sla
from db.engine import transaction
from db.models import Lane
from db.registrations import FRESH
from monitoring.sla import Measured, Unfinished, all_met, headline, judge, served, window_of, with_overdue

# Of one core of the store at most, however many look: figures are measured anew when they are so many times as old
# as their measurement took.
COST = 0.05
LEAST_SECONDS = 1.0

router = APIRouter(prefix="/v1", tags=["sla"])


class TargetOut(BaseModel):
    """One target, and the figure that is held against it."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    unit: Literal["ratio", "ms", "rows"]
    figure: float | None = Field(description="Null where too little was counted to judge.")
    limit: float = Field(description="The figure must be at most this; of accuracy at least.")
    is_floor: bool = Field(description="Whether the figure must be at least the limit.")
    met: bool | None = Field(description="Null where there is nothing to judge.")
    budget_left: float | None = Field(
        description="Share of the error budget that is left: 1 at first, 0 at the limit, less than 0 beyond."
    )
    counted: int = Field(
        description="Requests, rows, reviews or feedbacks that the figure is made of. Requests are those that submit, "
        "read or change a job or a review; reviews without a result count once they are slow."
    )
    missed: int | None = Field(description="How many of them are against the target.")


class LaneOut(BaseModel):
    """What stands in a lane of a model now."""

    model_config = ConfigDict(from_attributes=True)

    model: str
    lane: Lane
    queued: int = Field(description="Rows that wait.")
    processing: int = Field(description="Rows that are being judged.")
    oldest_seconds: float = Field(description="Age of the oldest job with a waiting row; 0 where none waits.")


class SlaOut(BaseModel):
    """The verdict of a window of time that ends at `measured_at`, and what waits now."""

    window: str
    measured_at: datetime = Field(description="Figures are kept for a while: 1 s, or 20 times what measuring took.")
    met: bool | None = Field(description="Whether every target is met that can be judged; null when none can.")
    headline: str = Field(description="The same in a sentence; where rows wait without a live worker, how many.")
    targets: list[TargetOut]
    lanes: list[LaneOut]


@dataclass(slots=True)
class SlaCache:
    """Figures of the windows that were asked for lately; one is measured at a time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    known: dict[timedelta, tuple[Measured, datetime, float]] = field(default_factory=dict)

    async def of(self, state: ApiState, window: timedelta) -> tuple[Measured, datetime]:
        """The window's figures, and when they were measured; who waits for the lock holds no thread."""
        async with self.lock:
            self.known = {each: kept for each, kept in self.known.items() if kept[2] > time.monotonic()}
            if window not in self.known:
                self.known[window] = await run_in_threadpool(_measured, state, window)
            measured, at, _ = self.known[window]
            return measured, at


def _measured(state: ApiState, window: timedelta) -> tuple[Measured, datetime, float]:
    """Figures, when they were measured, and until when (monotonic) they are fresh."""
    began = time.monotonic()
    with transaction(state.engine) as connection:
        measured = sla.measure(connection, window)
    ended = time.monotonic()
    return measured, datetime.now(UTC), ended + max(LEAST_SECONDS, (ended - began) / COST)


def _figures(request: Request) -> SlaCache:
    return request.app.state.figures  # type: ignore[no-any-return]  # Starlette's state is untyped


Window = Annotated[str, Query(description="A number with s, m, h or d, from `1m` to `30d`.", max_length=20)]


@router.get("/sla", responses=refusals(400, 403, 405, 421, 422, 500, 503))
async def show_sla(state: StateDep, figures: Annotated[SlaCache, Depends(_figures)], window: Window = "1h") -> SlaOut:
    """The SLA's targets over the last `window`, and what waits now.

    Requests that were answered, jobs that ended, interactive reviews that were submitted and feedback that came
    within the window.
    """
    measured, at = await figures.of(state, _parsed(window))
    lanes, unfinished = await run_in_threadpool(_now, state)
    verdicts = [*judge(with_overdue(measured, unfinished)), served(unfinished.waiting, unfinished.stranded)]
    return SlaOut(
        window=window,
        measured_at=at,
        met=all_met(verdicts),
        headline=headline(verdicts, unfinished),
        targets=[TargetOut.model_validate(each) for each in verdicts],
        lanes=lanes,
    )


def _now(state: ApiState) -> tuple[list[LaneOut], Unfinished]:
    with transaction(state.engine) as connection:
        lanes = [LaneOut.model_validate(each) for each in sla.standing(connection)]
        return lanes, sla.unfinished(connection, FRESH)


def _parsed(window: str) -> timedelta:
    try:
        return window_of(window)
    except ValueError as error:
        raise InvalidRequest(errors=[FieldError("query/window", str(error))]) from error
