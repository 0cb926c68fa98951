"""Feedback: the correct sentiment of a review, recorded by callers. The SLA's accuracy is measured by it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from api.errors import (
    BodyTooLarge,
    FieldError,
    InvalidJson,
    InvalidRequest,
    KeyReused,
    UnknownReview,
    UnsupportedMediaType,
    WrongState,
)
from api.http.idempotency import OptionalKey, once
from api.http.strict_json import StrictRoute
from api.problems import DATABASE, ErrorType, refusals
from api.state import ApiState, StateDep
from db import feedback
from db.engine import Connection, read_only
from db.feedback import PredictedReview, StoredFeedback
from monitoring.metrics import FEEDBACK

router = APIRouter(prefix="/v1", tags=["reviews"], route_class=StrictRoute)

ERRORS: tuple[ErrorType, ...] = (
    *(InvalidJson, BodyTooLarge, UnsupportedMediaType, InvalidRequest, KeyReused),
    *(UnknownReview, WrongState, *DATABASE),
)


class FeedbackIn(BaseModel):
    """The correct sentiment of a review."""

    sentiment: str = Field(max_length=100, description="The correct label, one of the model's.")
    share: bool = Field(
        False,
        description="Whether other callers may see the review's text with this label, among the `similar_reviews` of"
        " their results. The text is kept for that until its job is deleted or expires, or until feedback without"
        " `share`. Results that already hold it keep it until their own job is deleted.",
    )

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"sentiment": "negative", "share": False}]}
    )


class FeedbackOut(BaseModel):
    """The feedback as stored."""

    review_id: UUID
    sentiment: str = Field(description="The label of the latest feedback.")
    agrees: bool = Field(description="Whether the model predicted this label.")
    shared: bool = Field(description="Whether other callers may see the text.")
    created_at: datetime = Field(description="Time of the first feedback.")


ANSWERS: dict[int | str, dict[str, Any]] = {
    201: {"model": FeedbackOut, "description": "The first feedback."},
    **refusals(*ERRORS),
}


@router.post("/reviews/{review_id}/feedback", responses=ANSWERS)
async def record_feedback(  # noqa: PLR0913, PLR0917  FastAPI passes each as a parameter
    review_id: UUID, body: FeedbackIn, request: Request, response: Response, state: StateDep, key: OptionalKey
) -> FeedbackOut:
    """Record the correct sentiment of a review that has a result: `201` the first time, `200` on an update.

    The latest feedback wins; repeating it changes nothing. Other callers see the review only if `share` is true.
    Feedback, with the text it shares, is deleted with the review's job.
    """
    recorded: list[tuple[PredictedReview, StoredFeedback]] = []

    def act(connection: Connection) -> UUID:
        review = _with_prediction(connection, review_id, body.sentiment)
        agrees = review.predicted == body.sentiment
        stored = feedback.record(connection, review_id, body.sentiment, agrees=agrees, share=body.share)
        recorded.append((review, stored))
        return review.job_id

    request.state.job_id = await run_in_threadpool(once, state, key, response, act)
    if not recorded:  # the key was repeated
        return _out(review_id, await run_in_threadpool(_stored, state, review_id))
    [(review, stored)] = recorded
    if stored.is_first:
        response.status_code = 201
        FEEDBACK.labels(review.model, str(stored.agrees).lower()).inc()
    return _out(review_id, stored)


def _with_prediction(connection: Connection, review_id: UUID, sentiment: str) -> PredictedReview:
    review = feedback.predicted_review(connection, review_id)
    if review is None:
        raise UnknownReview
    if review.predicted is None:
        raise WrongState(f"The review is {review.status}; feedback needs a review that has succeeded.")
    if sentiment not in review.labels:
        raise InvalidRequest(errors=[FieldError("/sentiment", f"is not one of {', '.join(review.labels)}")])
    return review


def _stored(state: ApiState, review_id: UUID) -> StoredFeedback:
    with read_only(state.engine) as connection:
        stored = feedback.get(connection, review_id)
    if stored is None:  # deleted with its job
        raise UnknownReview
    return stored


def _out(review_id: UUID, stored: StoredFeedback) -> FeedbackOut:
    return FeedbackOut(
        review_id=review_id,
        sentiment=stored.sentiment,
        agrees=stored.agrees,
        shared=stored.shared,
        created_at=stored.created_at,
    )
