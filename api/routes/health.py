"""What machines ask: models, liveness, readiness, metrics."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api import gauges
from api.errors import refusals
from api.schemas import Page
from api.state import StateDep
from db import registrations
from db.engine import DatabaseError, transaction
from db.migrate import current, newest
from monitoring import parts, resources

_VIEW = parts.View(parts.API)

Model = Annotated[str | None, Query(max_length=100, description="Whether this model is served.")]

router = APIRouter(tags=["health"])
log = structlog.get_logger()


class ModelOut(BaseModel):
    """A model version that a worker has loaded and checked."""

    name: str
    version: str
    precision: str
    backend: str
    labels: list[str]
    max_tokens: int
    metrics: list[dict[str, Any]]
    registered_at: datetime
    workers: int = Field(description="Live workers that serve this version; none: jobs for it are refused.")
    default: bool = Field(description="Whether jobs that name no model go to it by DEFAULT_MODEL.")


class ModelReadiness(BaseModel):
    """Whether a model is served."""

    ready: bool = Field(description="Store and schema are as they must be, and a live worker serves it.")
    workers: int = Field(description="Its live workers.")


class Readiness(BaseModel):
    """Each thing that must hold, and whether it does; and the same of each model that has, or lately had, workers."""

    ready: bool = Field(description="Whether all checks hold.")
    checks: dict[str, bool] = Field(
        description="`store` is reached, `schema` is current, and a live `worker` serves the model that was asked for;"
        " if none was, DEFAULT_MODEL; without that setting, any model."
    )
    models: dict[str, ModelReadiness]


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"model": Readiness}})
def readyz(response: Response, state: StateDep, model: Model = None) -> Readiness:
    """Store reached, schema current, and a worker that was lately woken through the queue: else 503.

    With `model`, a worker of that one: what becomes of another model changes nothing about it.
    """
    store = schema = False
    live: dict[str, int] = {}
    try:
        with transaction(state.engine) as connection:
            schema = current(connection) == newest()
            live = registrations.live_workers(connection) if schema else {}
            store = True
    except DatabaseError as error:
        log.warning("store_failed", error=str(error), reason=error.reason)
    wanted = model or state.settings.default_model
    worker = live.get(wanted, 0) > 0 if wanted else any(live.values())
    checks = {"store": store, "schema": store and schema, "worker": store and worker}
    ready = all(checks.values())
    response.status_code = 200 if ready else 503
    models = {name: ModelReadiness(ready=store and workers > 0, workers=workers) for name, workers in live.items()}
    return Readiness(ready=ready, checks=checks, models=models)


@router.get("/v1/models", responses=refusals(400, 403, 405, 421, 500, 503))
def models(state: StateDep) -> Page[ModelOut]:
    """Every model and version that was ever loaded, newest first; a job may name those that have workers."""
    with transaction(state.engine) as connection:
        rows = registrations.models(connection)
    default = state.settings.default_model
    # A mapping, since a row of the store knows nothing of this process's settings.
    found = [ModelOut.model_validate({**asdict(row), "default": row.name == default}) for row in rows]
    return Page(data=found, next=None)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(state: StateDep) -> Response:
    """Prometheus metrics of this process, and of the backlog as the store has it now."""
    resources.register()
    await gauges.refresh(state.engine, state.settings.default_model)
    return Response(generate_latest(_VIEW), headers={"Content-Type": CONTENT_TYPE_LATEST})
