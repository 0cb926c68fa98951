"""Build the FastAPI application from its parts. This module holds wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.middleware import Middleware

from api import problems
from api.admission.control import AdmissionControl
from api.admission.known_models import KnownModels
from api.http.cors import cors
from api.http.head import HeadAsGet
from api.http.middleware import RequestMiddleware
from api.http.proxies import Proxies
from api.http.ranges import DownloadIndexes
from api.http.request_log import RequestLog
from api.http.security import AllowedHosts, Security
from api.routes import classify, events, feedback, health, job_actions, jobs, page, results, runbook, sla, uploads
from api.routes.sla import SlaCache
from api.state import ApiState
from broker.job_waiter import JobWaiter
from broker.wakeups import Waker
from db.engine import connect
from settings import ApiSettings, DatabaseSettings, QueueSettings

DESCRIPTION = """Classify the sentiment of reviews asynchronously: submit a job, then poll, wait or follow its events.

Every error is an `application/problem+json` document; its `type` is one of those listed with each response.

HEAD is answered wherever GET is."""


def create_app(settings: ApiSettings, database: DatabaseSettings, queue: QueueSettings) -> FastAPI:
    """Return the application. It connects to PostgreSQL and Redis when it starts, not before."""
    request_log = RequestLog(settings.request_log_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # More threads than connections would only wait for a connection.
        to_thread.current_default_thread_limiter().total_tokens = database.database_pool_size
        engine, job_waiter = connect(database, "verdict-api"), JobWaiter(queue)
        admission = AdmissionControl(settings, database.database_pool_size)
        try:
            with Waker(queue) as waker:
                async with request_log.open(engine), job_waiter.open(), admission.measuring_lag():
                    app.state.api_state = ApiState(
                        settings=settings,
                        engine=engine,
                        waker=waker,
                        job_waiter=job_waiter,
                        stopping=Event(),
                        uploading=CapacityLimiter(settings.uploads_at_once),
                        admission=admission,
                        models=KnownModels(settings),
                        downloads=DownloadIndexes(),
                    )
                    yield
        finally:
            engine.dispose()

    app = FastAPI(
        title="Verdict",
        description=DESCRIPTION,
        version="1",
        lifespan=lifespan,
        docs_url=None,  # api.routes.page serves it from local files
        redoc_url=None,
        redirect_slashes=False,  # a client may turn a redirected POST into a GET
        middleware=[
            Middleware(RequestMiddleware, request_log),
            Middleware(Security, AllowedHosts(settings)),
            *cors(settings),
            Middleware(Proxies, settings),
            Middleware(HeadAsGet),
        ],
    )
    app.state.sla_cache = SlaCache()
    problems.install(app)
    for part in (classify, uploads, jobs, results, events, job_actions, feedback, health, sla, page, runbook):
        app.include_router(part.router)
    return app
