"""What a service takes and answers, as frozen objects; fields that a newer service adds are kept beside the known."""

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
    """The body of a 2xx. Raises NotVerdict when it is something else."""
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise NotVerdict(response) from error


@dataclass(frozen=True, slots=True)
class Review:
    """A review to classify; `id` is your own and comes back with the result."""

    text: str
    id: str | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class Counts(_Answer):
    """How many reviews stand where; the states add up to `total`."""

    total: int
    queued: int
    processing: int
    succeeded: int
    failed: int
    cancelled: int

    @property
    def done(self) -> int:
        """Those that need no more work."""
        return self.succeeded + self.failed + self.cancelled


class Model(_Answer):
    """Which model gave a result."""

    name: str
    version: str
    precision: str | None = None
    stage: str | None = None


class Trouble(_Answer):
    """Why a review has no result."""

    code: str
    detail: str
    attempts: int | None = None


class SimilarReview(_Answer):
    """A labelled review that resembles the one that was classified."""

    text: str
    sentiment: str
    similarity: float


class Result(_Answer):
    """One review's state and, when `status` is `succeeded`, its sentiment.

    `index` is its place in the job, from 0; `line` that of its first line in an uploaded file, from 1; `confidence` the
    calibrated probability of `sentiment`. `review_id` is None for a row that holds no review; `error` says why.
    `cached` says that the model had judged the same text before; `warnings` names what lowers the confidence, such as
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
    """How well one label was found."""

    precision: float | None
    recall: float | None
    f1: float | None


class Evaluation(_Answer):
    """A finished job held against the labels that came with its file; rows of the matrix are the truth."""

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
    """How an uploaded file was read."""

    columns: list[str]
    text_column: str
    delimiter: str
    encoding: str
    quoting: str = "doubled"
    notes: list[str] = []


class Job(_Answer):
    """A job as it was when it was asked for; `results` are those of a small one, else None."""

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
        """Whether nothing will change any more, unless its failed reviews are retried."""
        return self.status in ENDED


class Page(_Answer):
    """Some results; `next` leads to those behind them."""

    data: list[Result]
    next: str | None


class Classification(_Answer):
    """The short form's answer."""

    sentiment: str
    confidence: float
    warnings: Sequence[str] = ()
    similar_reviews: Sequence[SimilarReview] = ()


class Feedback(_Answer):
    """What is stored of feedback on a review; `shared` says whether other callers may see the review."""

    review_id: str
    sentiment: str
    agrees: bool
    shared: bool = False
    created_at: datetime
