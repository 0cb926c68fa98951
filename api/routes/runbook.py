"""The runbook as text at `/runbook/{alert}`, the address that each alert names (monitoring.runbook)."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from monitoring import runbook

router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)


@router.get("/runbook")
async def whole() -> str:
    """Every alert."""
    return runbook.PATH.read_text()


@router.get("/runbook/{alert}")
async def section(alert: str) -> str:
    """What an alert means and what to do."""
    found = runbook.sections().get(alert)
    if found is None:
        raise HTTPException(404)
    return found
