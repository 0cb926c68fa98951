"""The composition root of the HTTP side: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.middleware import Middleware

from api import errors
from api.admission.control import AdmissionControl
from api.admission.known_models import KnownModels
from api.http.middleware import RequestMiddleware
from api.http.request_log import RequestLog
from api.http.security import AllowedHosts, Security
from api.routes import classify, events, feedback, health, job_actions, jobs, page, results, runbook, sla, uploads
from api.routes.sla import SlaCache
from api.state import ApiState
from broker.job_waiter import JobWaiter
from broker.wakeups import Waker
from db.engine import connect
from settings import ApiSettings, DatabaseSettings, QueueSettings

DESCRIPTION = "Sentiment of reviews, asynchronously: submit a job, then poll, or wait, for an honest answer."


def create_app(settings: ApiSettings, database: DatabaseSettings, queue: QueueSettings) -> FastAPI:
    """The application; it connects when it starts, not before."""
    request_log = RequestLog(settings.request_log_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # A thread without a connection can only wait for one, so there are as many as connections.
        to_thread.current_default_thread_limiter().total_tokens = database.database_pool_size
        engine, job_waiter = connect(database, "verdict-api"), JobWaiter(queue)
        admission = AdmissionControl(settings, database.database_pool_size)
        try:
            with Waker(queue) as waker:
                async with request_log.open(engine), job_waiter.open(), admission.watching():
                    uploading = CapacityLimiter(settings.uploads_at_once)
                    app.state.service = ApiState(
                        settings, engine, waker, job_waiter, Event(), uploading, admission, KnownModels(settings)
                    )
                    yield
        finally:
            engine.dispose()

    app = FastAPI(
        title="Verdict",
        description=DESCRIPTION,
        version="1",
        lifespan=lifespan,
        docs_url=None,  # api.routes.page has it, from files of its own
        redoc_url=None,
        redirect_slashes=False,  # a path is right or unknown; a client may turn a redirected POST into a GET
        middleware=[Middleware(RequestMiddleware, request_log), Middleware(Security, AllowedHosts(settings))],
    )
    app.state.figures = SlaCache()
    errors.install(app)
    for part in (classify, uploads, jobs, results, events, job_actions, feedback, health, sla, page, runbook):
        app.include_router(part.router)
    return app
