"""The composition root of the HTTP side: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.middleware import Middleware

from api import classify, errors, events, feedback, health, job_actions, jobs, page, results, runbook, sla, uploads
from api.admission import Admission
from api.known_models import KnownModels
from api.request_context import RequestContext
from api.request_log import RequestLog
from api.security import AllowedHosts, Security
from api.service import Service
from api.sla import Figures
from api.waiting import WaitingRoom
from db.engine import connect
from settings import ApiSettings, DatabaseSettings, QueueSettings
from worker.queue import Doorbell

DESCRIPTION = "Sentiment of reviews, asynchronously: submit a job, then poll, or wait, for an honest answer."


def create_app(settings: ApiSettings, database: DatabaseSettings, queue: QueueSettings) -> FastAPI:
    """The application; it connects when it starts, not before."""
    request_log = RequestLog(settings.request_log_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # A thread without a connection can only wait for one, so there are as many as connections.
        to_thread.current_default_thread_limiter().total_tokens = database.database_pool_size
        engine, waiting_room = connect(database, "verdict-api"), WaitingRoom(queue)
        admission = Admission(settings, database.database_pool_size)
        try:
            with Doorbell(queue) as doorbell:
                async with request_log.open(engine), waiting_room.open(), admission.watching():
                    uploading = CapacityLimiter(settings.uploads_at_once)
                    app.state.service = Service(
                        settings, engine, doorbell, waiting_room, Event(), uploading, admission, KnownModels(settings)
                    )
                    yield
        finally:
            engine.dispose()

    app = FastAPI(
        title="Verdict",
        description=DESCRIPTION,
        version="1",
        lifespan=lifespan,
        docs_url=None,  # api.page has it, from files of its own
        redoc_url=None,
        redirect_slashes=False,  # a path is right or unknown; a client may turn a redirected POST into a GET
        middleware=[Middleware(RequestContext, request_log), Middleware(Security, AllowedHosts(settings))],
    )
    app.state.figures = Figures()
    errors.install(app)
    for part in (classify, uploads, jobs, results, events, job_actions, feedback, health, sla, page, runbook):
        app.include_router(part.router)
    return app
