"""The truth about a judged review, told by a caller: what the accuracy that the SLA promises is measured by."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from api.errors import REFUSALS, FieldError, InvalidRequest, UnknownReview, WrongState
from api.http.idempotency import OptionalKey, once
from api.http.strict_json import StrictRoute
from api.state import ApiState, StateDep
from db import feedback
from db.engine import Connection, reading
from db.feedback import PredictedReview, StoredFeedback
from monitoring.metrics import FEEDBACK

router = APIRouter(prefix="/v1", tags=["reviews"], route_class=StrictRoute, responses=REFUSALS)


class FeedbackIn(BaseModel):
    """The truth about a review."""

    sentiment: str = Field(max_length=100, description="Its true label: one of the model's.")
    share: bool = Field(
        False,
        description="Whether the review's text may be shown to other callers, with this label, among the"
        " `similar_reviews` of theirs. It is kept for that until its job is deleted or past its retention, or until"
        " feedback without `share`; answers that have shown it by then keep it until their own job goes.",
    )

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"sentiment": "negative", "share": False}]}
    )


class FeedbackOut(BaseModel):
    """What is stored."""

    review_id: UUID
    sentiment: str = Field(description="The last word.")
    agrees: bool = Field(description="Whether the model had said the same.")
    shared: bool = Field(description="Whether the text may be shown to other callers.")
    created_at: datetime = Field(description="When the first word was told.")


@router.post("/reviews/{review_id}/feedback", responses={201: {"model": FeedbackOut, "description": "The first word."}})
async def record_feedback(  # noqa: PLR0913, PLR0917  what FastAPI hands over
    review_id: UUID, body: FeedbackIn, request: Request, response: Response, state: StateDep, key: OptionalKey
) -> FeedbackOut:
    """Tell the truth about a judged review: `201`, or `200` when it was told before; the last word counts.

    Told again, the same changes nothing. Nobody else sees the review unless `share` is true. Feedback, and what it
    shares, goes with the review's job.
    """
    heard: list[tuple[PredictedReview, StoredFeedback]] = []

    def act(connection: Connection) -> UUID:
        judged = _judged(connection, review_id, body.sentiment)
        agrees = judged.predicted == body.sentiment
        told = feedback.record(connection, review_id, body.sentiment, agrees=agrees, share=body.share)
        heard.append((judged, told))
        return judged.job_id

    request.state.job_id = await run_in_threadpool(once, state, key, response, act)
    if not heard:  # replayed
        return _out(review_id, await run_in_threadpool(_stored, state, review_id))
    [(judged, told)] = heard
    if told.is_first:
        response.status_code = 201
        FEEDBACK.labels(judged.model, str(told.agrees).lower()).inc()
    return _out(review_id, told)


def _judged(connection: Connection, review_id: UUID, sentiment: str) -> PredictedReview:
    judged = feedback.predicted_review(connection, review_id)
    if judged is None:
        raise UnknownReview
    if judged.predicted is None:
        raise WrongState(f"The review is {judged.status}; only of a judged one can the truth be told.")
    if sentiment not in judged.labels:
        raise InvalidRequest(errors=[FieldError("/sentiment", f"is not one of {', '.join(judged.labels)}")])
    return judged


def _stored(state: ApiState, review_id: UUID) -> StoredFeedback:
    with reading(state.engine) as connection:
        told = feedback.get(connection, review_id)
    if told is None:  # deleted with its job
        raise UnknownReview
    return told


def _out(review_id: UUID, told: StoredFeedback) -> FeedbackOut:
    return FeedbackOut(
        review_id=review_id,
        sentiment=told.sentiment,
        agrees=told.agrees,
        shared=told.shared,
        created_at=told.created_at,
    )
