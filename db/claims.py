"""What a worker claims, what it says became of it, and what was stored of that. Called by db.leases and the worker."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from db.models import Lane


@dataclass(frozen=True, slots=True)
class KnownPrediction:
    """What this model has said of the same text before."""

    label: int
    probabilities: Sequence[float]
    stage: str
    tokens: int
    truncated: bool
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClaimedReview:
    """A review to predict; a `suspect` was in a batch that was lost, and is alone in its claim."""

    id: UUID
    job_id: UUID
    text: str
    similar_wanted: int = 0
    tokens_estimate: int = 0
    suspect: bool = False
    traceparent: str | None = None  #: of the request that submitted it
    claimed: float = field(default_factory=monotonic)
    cache_key: bytes | None = None  #: of its prediction, where those are kept
    known: KnownPrediction | None = None


def claimed(row: Sequence[Any]) -> ClaimedReview:
    """Return a row of `leases.claim` as a review."""
    prediction = row[9:]
    known = None if prediction[0] is None else KnownPrediction(*prediction)
    return replace(ClaimedReview(*row[1:8]), cache_key=row[8], known=known)


@dataclass(frozen=True, slots=True)
class Most:
    """What a claim takes at most, of tokens about so many and one review at least, and how long its lease holds."""

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
    """What became of one review: a prediction, or `error_code` and `error_detail`."""

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
    cache_key: str | None = None  #: in hex, where the prediction shall be kept
    attempts: int = 0
    error_code: str | None = None
    error_detail: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """One review's result as it was stored for `rows` rows; times are the database's, in seconds since the submit."""

    job_id: UUID
    rows: int
    error_code: str | None
    stage: str | None
    queued_seconds: float | None  #: until its prediction began; None for what broke before
    seconds: float
    ended_job: bool
