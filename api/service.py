"""What every request of one API process shares: store, doorbell, waiting room, admission, settings."""

from dataclasses import dataclass
from threading import Event
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request

from api.admission import Admission
from api.known_models import KnownModels
from api.waiting import WaitingRoom
from db.engine import Engine
from settings import ApiSettings
from worker.queue import Doorbell


@dataclass(frozen=True, slots=True)
class Service:
    """Made by api.app when the process starts."""

    settings: ApiSettings
    engine: Engine
    doorbell: Doorbell
    waiting_room: WaitingRoom
    stopping: Event  # set when the process is told to end: a stream without an end of its own ends then
    uploading: CapacityLimiter  # each upload holds a thread and a connection as long as its bytes come in
    admission: Admission
    models: KnownModels


async def _service(request: Request) -> Service:
    return request.app.state.service  # type: ignore[no-any-return]  # Starlette's state is untyped


ServiceDep = Annotated[Service, Depends(_service)]
