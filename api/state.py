"""The state that all requests of one API process share: database, wake-ups, admission, settings."""

from dataclasses import dataclass
from threading import Event
from typing import Annotated, Any

from anyio import CapacityLimiter
from fastapi import Depends, Request

from api.admission.control import AdmissionControl
from api.admission.known_models import KnownModels
from api.http.ranges import DownloadIndexes
from broker.job_waiter import JobWaiter
from broker.wakeups import Waker
from db.engine import Engine
from settings import ApiSettings


@dataclass(frozen=True, slots=True)
class ApiState:
    """Created when the process starts, and kept as `app.state.api_state`."""

    settings: ApiSettings
    engine: Engine
    waker: Waker
    job_waiter: JobWaiter
    stopping: Event  # set at shutdown; event streams then end, though their jobs go on
    uploading: CapacityLimiter  # an upload holds a thread and a connection until its last byte has arrived
    admission: AdmissionControl
    models: KnownModels
    downloads: DownloadIndexes


def state_of(app: Any) -> ApiState:
    """Return the state of a running application."""
    state: ApiState = app.state.api_state  # Starlette's state is untyped
    return state


async def _state(request: Request) -> ApiState:
    return state_of(request.app)


StateDep = Annotated[ApiState, Depends(_state)]
