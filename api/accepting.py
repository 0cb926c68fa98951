"""What every way of submitting a job shares: its model is known, and its answer. Used by api.jobs and api.uploads."""

from typing import Any

from fastapi import Response

from api.errors import InvalidRequest, NotReady, Pointed, refusals
from api.schemas import JobOut
from db import registrations
from db.engine import Connection
from db.jobs import FINAL

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": JobOut, "description": "It ended in time."},
    **refusals(408, 429),
}


def require_model(connection: Connection, model: str, pointer: str) -> None:
    """Refuse a model that no worker has registered.

    Raises:
        NotReady, InvalidRequest: there is none at all yet, or not this one.
    """
    known = registrations.model_names(connection)
    if not known:
        raise NotReady(headers={"Retry-After": "2"})
    if model not in known:
        raise InvalidRequest(errors=[Pointed(pointer, f"is not one of {', '.join(sorted(known))}")])


def accepted(job: JobOut, response: Response, wait: float) -> JobOut:
    """A job that was submitted: `202`, or `200` when its end was waited for and came."""
    response.headers["Location"] = job.urls.self
    if wait and job.status in FINAL:
        response.status_code = 200
        response.headers["Preference-Applied"] = f"wait={wait:g}"
    return job
