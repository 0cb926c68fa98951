"""What the ways of submitting a job share: the early refusal, the job of a JSON body, the counts, and the answer.

Used by api.routes.jobs, api.routes.classify and api.routes.uploads.
"""

import re
from datetime import timedelta
from typing import Any

from fastapi import Request, Response

from api.errors import FieldError, InvalidRequest, refusals
from api.http.strict_json import StrictRoute
from api.schemas import JobIn, JobOut
from api.state import ApiState
from db.jobs import FINAL
from db.models import Lane, ModelLane
from db.submissions import CHARS_PER_TOKEN, NewJob, NewReview
from monitoring import traces
from monitoring.metrics import CACHE_HITS, JOBS_SUBMITTED, ROWS_SUBMITTED

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": JobOut, "description": "It ended in time."},
    **refusals(408, 429),
}
# Each review of a body has this name, unless one of its letters is escaped (a to z are \u0061 to \u007a).
NAME = b'"text"'
ESCAPED = re.compile(rb"\\u00[67]", re.IGNORECASE)
MODEL, METADATA = b'"model"', b'"metadata"'
MODEL_NAMED = re.compile(rb'"model"\s*:\s*"([\w.-]{1,100})"', re.ASCII)


class SubmitRoute(StrictRoute):
    """Refuses a small job while too much waits for its model, before its body is parsed."""

    def before_parsing(self, request: Request, body: bytes) -> None:
        """Refuse a body that cannot hold more reviews than an interactive job may.

        Raises:
            Overloaded: its queue is full.
        """
        state: ApiState = request.app.state.service
        if body.count(NAME) > state.settings.interactive_max_reviews or ESCAPED.search(body):
            return
        if model := state.models.remembered(None) if MODEL not in body else _model_of(body, state):
            state.admission.check(ModelLane(model, Lane.INTERACTIVE), len(body) / CHARS_PER_TOKEN)


def _model_of(body: bytes, state: ApiState) -> str | None:
    """The model that a body names; None where only its parsed form can tell, or no worker serves it."""
    found = MODEL_NAMED.findall(body)
    if len(found) != 1 or body.count(MODEL) != 1 or METADATA in body:
        return None
    return state.models.remembered(found[0].decode())


def new_job(body: JobIn, state: ApiState, pointer: str = "/reviews/{}/text") -> NewJob:
    """A body as a job to add, in the lane that fits its size.

    Raises:
        InvalidRequest: more or longer reviews than the settings allow.
    """
    settings, reviews = state.settings, body.reviews
    if len(reviews) > settings.max_reviews:
        detail = f"holds {len(reviews)} reviews; a job may hold {settings.max_reviews}"
        raise InvalidRequest(errors=[FieldError("/reviews", detail)])
    too_long = [index for index, each in enumerate(reviews) if len(each.text) > settings.max_review_chars]
    if too_long:
        detail = f"is longer than {settings.max_review_chars} characters"
        raise InvalidRequest(errors=[FieldError(pointer.format(index), detail) for index in too_long])
    return NewJob(
        lane=Lane.INTERACTIVE if len(reviews) <= settings.interactive_max_reviews else Lane.BULK,
        metadata=dict(body.metadata),
        deadline=None if body.deadline_seconds is None else timedelta(seconds=body.deadline_seconds),
        reviews=[NewReview(each.text, each.id, each.tokens_estimate) for each in reviews],
        similar_wanted=body.similar_wanted,
        traceparent=traces.current(),
    )


def count_submission(queue: ModelLane | None, rows: int, distinct: int) -> None:
    """Count a submission that was committed; without a queue it was answered with an earlier one's job."""
    if queue is None:
        CACHE_HITS.labels("replayed").inc()
        return
    JOBS_SUBMITTED.labels(*queue).inc()
    ROWS_SUBMITTED.labels(*queue).inc(rows)
    if rows > distinct:
        CACHE_HITS.labels("duplicate").inc(rows - distinct)


def accepted(job: JobOut, response: Response, wait: float) -> JobOut:
    """A job that was submitted: `202`, or `200` when its end was waited for and came."""
    response.headers["Location"] = job.urls.self
    if wait and job.status in FINAL:
        response.status_code = 200
        response.headers["Preference-Applied"] = f"wait={wait:g}"
    return job
