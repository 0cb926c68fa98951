"""What machines ask: models, liveness, readiness, metrics."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api import gauges
from api.errors import refusals
from api.schemas import Page
from api.service import ServiceDep
from db import registrations
from db.engine import DatabaseError, transaction
from db.migrate import current, newest
from monitoring import parts, resources

# A worker says so when it was woken through the queue, and the sweeper rings every 5 s at the latest.
FRESH = timedelta(seconds=30)

_VIEW = parts.View(parts.API)

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
    workers: int = Field(description="Live workers that serve this version.")


class Readiness(BaseModel):
    """Each thing that must hold, and whether it does."""

    ready: bool
    checks: dict[str, bool]


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"model": Readiness}})
def readyz(response: Response, service: ServiceDep) -> Readiness:
    """Store reached, schema current, and a worker that was lately woken through the queue: else 503."""
    checks = {"store": False, "schema": False, "worker": False}
    try:
        with transaction(service.engine) as connection:
            checks["store"] = True
            checks["schema"] = current(connection) == newest()
            checks["worker"] = checks["schema"] and registrations.live_workers(connection, FRESH) > 0
    except DatabaseError as error:
        log.warning("store_failed", error=str(error), reason=error.reason)
        checks["store"] = False
    ready = all(checks.values())
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, checks=checks)


@router.get("/v1/models", responses=refusals(400, 403, 405, 421, 500, 503))
def models(service: ServiceDep) -> Page[ModelOut]:
    """The models a job may name, with every version that was ever loaded, newest first."""
    with transaction(service.engine) as connection:
        rows = registrations.models(connection, FRESH)
    return Page(data=[ModelOut.model_validate(row, from_attributes=True) for row in rows], next=None)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(service: ServiceDep) -> Response:
    """Prometheus metrics of this process, and of the backlog as the store has it now."""
    resources.register()
    await gauges.refresh(service.engine, FRESH)
    return Response(generate_latest(_VIEW), headers={"Content-Type": CONTENT_TYPE_LATEST})
