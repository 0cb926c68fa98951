"""Requests and answers of a service as frozen objects; fields of a newer service are kept as extra attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from verdict.errors import NotVerdict

Answer = TypeVar("Answer", bound=BaseModel)

ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})


def read(kind: type[Answer], response: httpx.Response) -> Answer:
    """Parse the body of a 2xx. Raises NotVerdict if it has another shape."""
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise NotVerdict(response) from error


@dataclass(frozen=True, slots=True)
class Review:
    """A review to classify; `id` is yours and comes back with the result."""

    text: str
    id: str | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class Counts(_Answer):
    """The number of reviews in each state; they add up to `total`."""

    total: int
    queued: int
    processing: int
    succeeded: int
    failed: int
    cancelled: int

    @property
    def done(self) -> int:
        """Reviews that need no more work."""
        return self.succeeded + self.failed + self.cancelled


class Model(_Answer):
    """The model that gave a result."""

    name: str
    version: str
    precision: str | None = None
    stage: str | None = None


class Trouble(_Answer):
    """The reason that a review has no result."""

    code: str
    detail: str
    attempts: int | None = None


class SimilarReview(_Answer):
    """A labelled review that is similar to the classified one."""

    text: str
    sentiment: str
    similarity: float


class Result(_Answer):
    """The state of one review and, if `status` is `succeeded`, its sentiment.

    `index` is the position in the job, from 0; `line` the first line in an uploaded file, from 1; `confidence` the
    calibrated probability of `sentiment`. `review_id` is None for a row without a review; `error` gives the reason.
    `cached` marks a prediction reused from an equal text; `warnings` names reasons for a lower confidence, such as
    `language`.
    """

    review_id: str | None
    id: str | None
    index: int
    status: str
    line: int | None = None
    sentiment: str | None
    confidence: float | None
    probabilities: dict[str, float] | None
    warnings: Sequence[str] = ()
    similar_reviews: Sequence[SimilarReview] = ()
    model: Model | None
    cached: bool = False
    truncated: bool | None
    tokens: int | None
    timings_ms: dict[str, float | None]
    error: Trouble | None


class Scores(_Answer):
    """Precision, recall and F1 of one label."""

    precision: float | None
    recall: float | None
    f1: float | None


class Evaluation(_Answer):
    """A finished job compared with the labels of its file; rows of the confusion matrix are the true labels."""

    labelled: int
    unknown_labels: int
    scored: int = 0
    label_meanings: dict[str, str] = {}
    unknown_values: dict[str, int] = {}
    problem: str | None = None
    accuracy: float | None
    macro_f1: float | None
    labels: list[str]
    confusion_matrix: list[list[int]]
    per_label: dict[str, Scores]


class File(_Answer):
    """The options by which an uploaded file was read."""

    columns: list[str]
    text_column: str
    delimiter: str
    encoding: str
    quoting: str = "doubled"
    notes: list[str] = []


class Job(_Answer):
    """The state of a job at the time of the answer; `results` is None for a large job."""

    id: str
    status: str
    lane: str
    model: str
    warning: str | None = None
    metadata: dict[str, Any]
    counts: Counts
    progress: float
    reviews_per_second: float | None = None
    remaining_seconds: float | None = None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    timings_ms: dict[str, float | None]
    file: File | None = None
    evaluation: Evaluation | None = None
    urls: dict[str, str]
    results: list[Result] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the state is final, unless failed reviews are retried."""
        return self.status in ENDED


class Page(_Answer):
    """One page of results; `next` is the `after` of the following page."""

    data: list[Result]
    next: str | None


class Classification(_Answer):
    """The answer to `classify`."""

    sentiment: str
    confidence: float
    warnings: Sequence[str] = ()
    similar_reviews: Sequence[SimilarReview] = ()


class Feedback(_Answer):
    """Stored feedback on a review; `shared` says whether other callers may see the text."""

    review_id: str
    sentiment: str
    agrees: bool
    shared: bool = False
    created_at: datetime
