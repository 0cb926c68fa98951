"""Models, liveness, readiness and metrics, for probes, monitoring and clients."""

from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, Field

from api import gauges
from api.errors import InternalError, InvalidRequest
from api.problems import DATABASE, refusals
from api.schemas import Page
from api.state import StateDep
from db import registrations
from db.engine import DatabaseError, read_only
from db.migrate import current, newest
from monitoring.registries import API, registry

Model = Annotated[str | None, Query(max_length=100, description="Require a live worker for this model.")]

router = APIRouter(tags=["health"])
log = structlog.get_logger()


class ModelOut(BaseModel):
    """A version of a model that a worker has loaded and checked."""

    name: str
    version: str
    precision: str
    backend: str
    labels: list[str]
    max_tokens: int
    metrics: list[dict[str, Any]]
    registered_at: datetime
    workers: int = Field(description="Number of live workers that serve this version; with 0, new jobs are refused.")
    default: bool = Field(description="Whether DEFAULT_MODEL names it.")


class ModelReadiness(BaseModel):
    """Readiness of one model."""

    ready: bool = Field(description="Whether the checks of the database hold and a live worker serves the model.")
    workers: int = Field(description="Number of its live workers.")


class Readiness(BaseModel):
    """The result of each check, and the readiness of each model that has, or recently had, workers."""

    ready: bool = Field(description="Whether all checks hold.")
    checks: dict[str, bool] = Field(
        description="`store`: PostgreSQL is reached. `schema`: its schema is current. `worker`: a live worker serves"
        " the requested model, else DEFAULT_MODEL, else any model."
    )
    models: dict[str, ModelReadiness]


METRICS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}


@router.get("/livez", responses=refusals())
async def livez() -> dict[str, str]:
    """Answer as long as the process runs; checks nothing else."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    responses=refusals(InvalidRequest, InternalError)
    | {503: {"model": Readiness, "description": "A check does not hold."}},
)
def readyz(response: Response, state: StateDep, model: Model = None) -> Readiness:
    """Check that PostgreSQL is reached, its schema is current, and a live worker serves a model; else `503`.

    With `model`, the worker must serve that model; the state of other models is ignored.
    """
    store = schema = False
    live: dict[str, int] = {}
    try:
        with read_only(state.engine) as connection:
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


@router.get("/v1/models", responses=refusals(*DATABASE))
def models(state: StateDep) -> Page[ModelOut]:
    """List every model and version that was ever loaded, newest first. A job can name those that have workers."""
    with read_only(state.engine) as connection:
        rows = registrations.models(connection)
    default = state.settings.default_model
    # A mapping, since `default` comes from this process's settings and not from the row.
    found = [ModelOut.model_validate({**asdict(row), "default": row.name == default}) for row in rows]
    return Page(data=found, next=None)


@cache
def _registry() -> CollectorRegistry:
    return registry(API)


@router.get("/metrics", response_class=Response, responses=METRICS | refusals(InternalError))
async def metrics(state: StateDep) -> Response:
    """Return the Prometheus metrics of this process, and of the queues as they are in PostgreSQL now."""
    await gauges.refresh(state.engine, state.settings.default_model)
    return Response(generate_latest(_registry()), headers={"Content-Type": CONTENT_TYPE_LATEST})
