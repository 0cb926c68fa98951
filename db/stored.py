"""Jobs and reviews as they are read: a row each, typed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(slots=True)
class StoredJob:
    """A job as callers read it; `reviews_per_second` is None without a pace, `without_worker` False when final."""

    id: UUID
    status: str
    lane: str
    model: str
    metadata: dict[str, Any]
    total: int
    queued: int
    processing: int
    succeeded: int
    failed: int
    cancelled: int
    layout: dict[str, Any] | None
    labelled: bool
    labelling: dict[str, Any] | None
    evaluation: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    without_worker: bool
    reviews_per_second: float | None


@dataclass(slots=True)
class LockedJob:
    """A job as its changes need it, locked until the transaction ends."""

    id: UUID
    status: str
    lane: str
    processing: int
    cancelled: int
    next_index: int


@dataclass(slots=True)
class StoredReview:
    """A row of a job with the result of its review; without a model until that has one."""

    review_id: UUID | None
    index: int
    line: int | None
    caller_id: str | None
    label: int | None
    probabilities: list[float] | None
    stage: str | None
    truncated: bool | None
    tokens: int | None
    attempts: int | None
    queued_ms: float | None
    inference_ms: float | None
    similar_reviews: list[dict[str, Any]] | None
    cached: bool
    warnings: list[str]
    status: str
    error_code: str | None
    error_detail: str | None
    model: str | None
    version: str | None
    precision: str | None
    labels: list[str] | None


@dataclass(slots=True)
class AddedJob:
    """The id of a job that was added, or None if it was refused, and the work ahead of it."""

    job_id: UUID | None
    tokens: float
    tokens_per_second: float | None
