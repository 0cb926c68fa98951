"""The values that pass between worker and database: claims, their reviews, outcomes, and stored results."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from db.models import Lane


@dataclass(frozen=True, slots=True)
class KnownPrediction:
    """The cached prediction of this model for the same text."""

    label: int
    probabilities: Sequence[float]
    stage: str
    tokens: int
    truncated: bool
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClaimedReview:
    """A review to predict. A `suspect` was in a lost batch, so its claim holds no other review."""

    id: UUID
    job_id: UUID
    text: str
    similar_wanted: int = 0
    tokens_estimate: int = 0
    suspect: bool = False
    traceparent: str | None = None  #: of the request that submitted it
    claimed: float = field(default_factory=monotonic)
    cache_key: bytes | None = None  #: of its prediction; None if predictions are not cached
    known: KnownPrediction | None = None


def claimed(row: Sequence[Any]) -> ClaimedReview:
    """Return the review of a row of `leases.claim`."""
    prediction = row[9:]
    known = None if prediction[0] is None else KnownPrediction(*prediction)
    return replace(ClaimedReview(*row[1:8]), cache_key=row[8], known=known)


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """Limits of one claim: reviews, estimated tokens (but one review at least), and the duration of its lease."""

    reviews: int
    tokens: int
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Claim:
    """Reviews under one lease."""

    token: UUID
    lane: Lane
    reviews: list[ClaimedReview]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one review: a prediction, or `error_code` and `error_detail`."""

    review_id: UUID
    job_id: UUID
    tokens: int | None = None
    truncated: bool | None = None
    waited_ms: float | None = None  # from the claim to the prediction
    inference_ms: float | None = None
    label: int | None = None
    probabilities: Sequence[float] | None = None
    stage: str | None = None
    warnings: Sequence[str] = ()
    similar_reviews: Sequence[object] | None = None
    cached: bool = False
    cache_key: str | None = None  #: in hex; set if the prediction is to be cached
    attempts: int = 0
    error_code: str | None = None
    error_detail: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored result, which counts for `rows` rows; times in seconds since the submission, by the database's clock."""

    job_id: UUID
    rows: int
    error_code: str | None
    stage: str | None
    queued_seconds: float | None  #: until its prediction began; None if the review failed before that
    seconds: float
    ended_job: bool
