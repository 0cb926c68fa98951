"""Steps that all ways of submitting a job share: refuse early, build the job, count it, answer."""

import re
from datetime import timedelta
from typing import Any

from fastapi import Request, Response

from api.errors import (
    BodyTooLarge,
    FieldError,
    InvalidJson,
    InvalidRequest,
    InvalidUpload,
    KeyReused,
    NotReady,
    NoWorker,
    Overloaded,
    TooManyUploads,
    TooSlow,
    UnknownJob,
    UnsupportedMediaType,
)
from api.http.strict_json import StrictRoute
from api.problems import DATABASE, ErrorType, refusals
from api.schemas import JobIn, JobOut
from api.state import ApiState, state_of
from db.jobs import FINAL
from db.models import Lane, ModelLane
from db.submissions import CHARS_PER_TOKEN, NewJob, NewReview
from files.errors import FileRefused
from monitoring import traces
from monitoring.metrics import CACHE_HITS, JOBS_SUBMITTED, ROWS_SUBMITTED

# UnknownJob: another caller may delete the job while this one waits for its end.
SUBMIT_ERRORS: tuple[ErrorType, ...] = (
    *(InvalidJson, BodyTooLarge, UnsupportedMediaType, InvalidRequest, KeyReused),
    *(UnknownJob, Overloaded, NotReady, NoWorker, *DATABASE),
)
UPLOAD_ERRORS: tuple[ErrorType, ...] = (InvalidUpload, TooSlow, TooManyUploads, *FileRefused.__subclasses__())
SUBMIT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": JobOut, "description": "The job has finished within the time in `Prefer`."},
    **refusals(*SUBMIT_ERRORS, *UPLOAD_ERRORS),
}
# Every review in a body has this member, unless a letter of its name is escaped (a to z are \u0061 to \u007a).
TEXT_MEMBER = b'"text"'
ESCAPED_LETTER = re.compile(rb"\\u00[67]", re.IGNORECASE)
MODEL_MEMBER, METADATA_MEMBER = b'"model"', b'"metadata"'
MODEL_VALUE = re.compile(rb'"model"\s*:\s*"([\w.-]{1,100})"', re.ASCII)


class SubmitRoute(StrictRoute):
    """A JSON route that refuses a small job before it parses the body, while the queue of its model is full."""

    def before_parsing(self, request: Request, body: bytes) -> None:
        """Refuse a body that can only be an interactive job.

        Raises:
            Overloaded: Its queue is full.
        """
        state = state_of(request.app)
        if body.count(TEXT_MEMBER) > state.settings.interactive_max_reviews or ESCAPED_LETTER.search(body):
            return
        if model := state.models.cached(None) if MODEL_MEMBER not in body else _model_of(body, state):
            state.admission.check(ModelLane(model, Lane.INTERACTIVE), len(body) / CHARS_PER_TOKEN)


def _model_of(body: bytes, state: ApiState) -> str | None:
    """Return the model that a body names; None if only parsing can tell, or if no worker serves it."""
    found = MODEL_VALUE.findall(body)
    if len(found) != 1 or body.count(MODEL_MEMBER) != 1 or METADATA_MEMBER in body:
        return None
    return state.models.cached(found[0].decode())


def new_job(body: JobIn, state: ApiState, pointer: str = "/reviews/{}/text") -> NewJob:
    """Return the job to add for a body, in the lane for its size.

    Raises:
        InvalidRequest: There are more or longer reviews than the settings allow.
    """
    settings, reviews = state.settings, body.reviews
    if len(reviews) > settings.max_reviews:
        detail = f"holds {len(reviews)} reviews; a JSON job may hold {settings.max_reviews}, a file many more"
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
    """Count a committed submission. Without a queue, it repeated an Idempotency-Key and added nothing."""
    if queue is None:
        CACHE_HITS.labels("replayed").inc()
        return
    JOBS_SUBMITTED.labels(*queue).inc()
    ROWS_SUBMITTED.labels(*queue).inc(rows)
    if rows > distinct:
        CACHE_HITS.labels("duplicate").inc(rows - distinct)


def accepted(job: JobOut, response: Response, wait: float) -> JobOut:
    """Complete the answer to a submission: `202`, or `200` if the caller waited and the job has ended."""
    response.headers["Location"] = job.urls.self
    if wait and job.status in FINAL:
        response.status_code = 200
        response.headers["Preference-Applied"] = f"wait={wait:g}"
    return job
