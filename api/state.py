"""What every request of one API process shares: store, doorbell, waiting room, admission, settings."""

from dataclasses import dataclass
from threading import Event
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request

from api.admission.control import AdmissionControl
from api.admission.known_models import KnownModels
from broker.job_waiter import JobWaiter
from broker.wakeups import Waker
from db.engine import Engine
from settings import ApiSettings


@dataclass(frozen=True, slots=True)
class ApiState:
    """Made by api.app when the process starts."""

    settings: ApiSettings
    engine: Engine
    waker: Waker
    job_waiter: JobWaiter
    stopping: Event  # set when the process is told to end: a stream without an end of its own ends then
    uploading: CapacityLimiter  # each upload holds a thread and a connection as long as its bytes come in
    admission: AdmissionControl
    models: KnownModels


async def _state(request: Request) -> ApiState:
    return request.app.state.service  # type: ignore[no-any-return]  # Starlette's state is untyped


StateDep = Annotated[ApiState, Depends(_state)]
