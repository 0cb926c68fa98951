"""The sections of the runbook as text, at the address that each alert links to (monitoring.runbook)."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from monitoring import runbook

router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)


@router.get("/runbook")
async def whole() -> str:
    """Return the whole runbook."""
    return runbook.PATH.read_text()


@router.get("/runbook/{alert}")
async def section(alert: str) -> str:
    """Return the section of one alert: its meaning and the steps to take."""
    found = runbook.sections().get(alert)
    if found is None:
        raise HTTPException(404)
    return found
