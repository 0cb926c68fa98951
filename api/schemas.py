"""What goes in and out as JSON. The names are the contract; db.models has its own."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from api.evaluation import Evaluation
from db.models import JobStatus, Lane, ReviewStatus
from db.submissions import CHARS_PER_TOKEN

MAX_METADATA_BYTES = 16_384


def _storable(value: str) -> str:
    # PostgreSQL's text takes neither.
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"must not contain a lone surrogate (character {error.start})") from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty or blank")
    return value


def _small_and_storable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    encoded = json.dumps(value)
    if len(encoded) > MAX_METADATA_BYTES:
        raise ValueError(f"must not take more than {MAX_METADATA_BYTES} bytes as JSON")
    for text in _strings(value):
        _storable(text)
    return value


def _strings(value: JsonValue) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _strings(each)
        case dict():
            yield from value
            yield from _strings(list(value.values()))


Text = Annotated[str, AfterValidator(_storable), AfterValidator(_not_blank)]
ModelName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_storable)]
MODEL = "A name in `GET /v1/models` that has workers; if not given, the service's default or its only one."
Similar = Annotated[int, Field(ge=0, le=20)]
SIMILAR = 3  # of a single review


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ReviewIn(_In):
    """A review to classify."""

    text: Text = Field(
        description="The review; HTML breaks are cleaned, a long one is truncated, and the result says so."
    )
    id: Annotated[str, AfterValidator(_storable)] | None = Field(
        None, max_length=200, description="Your own id; echoed in the result."
    )

    @property
    def tokens_estimate(self) -> int:
        """About its tokens: what a claim's budget and admission count."""
        return 2 + int(len(self.text) / CHARS_PER_TOKEN)


class JobIn(_In):
    """Reviews to classify together."""

    reviews: list[ReviewIn] = Field(min_length=1)
    model: ModelName | None = Field(None, description=MODEL)
    similar: Similar | None = Field(
        None,
        description=f"Similar labelled reviews to show with each result; {SIMILAR} for a job of one review and 0 for"
        " more if not given. Results as CSV or Parquet have none.",
    )
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_small_and_storable)] = Field(
        default_factory=dict, description="Anything of yours; echoed with the job."
    )
    deadline_seconds: float | None = Field(
        None, gt=0, le=31_536_000, allow_inf_nan=False, description="Unfinished work is dropped after this."
    )

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reviews": [{"text": "A wonderful film, start to finish.", "id": "42"}]}]}
    )

    @property
    def similar_wanted(self) -> int:
        """Of each review."""
        return (SIMILAR if len(self.reviews) == 1 else 0) if self.similar is None else self.similar


class ClassifyIn(_In):
    """One review, the short form."""

    review_text: Text
    model: ModelName | None = Field(None, description=MODEL)
    similar: Similar = Field(SIMILAR, description="Similar labelled reviews to show.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"review_text": "A wonderful film, start to finish."}]})


class Counts(BaseModel):
    """How many reviews stand where; the five states add up to `total`."""

    total: int
    queued: int
    processing: int
    succeeded: int
    failed: int
    cancelled: int


class JobTimings(BaseModel):
    """Milliseconds on the database's clock; null until known."""

    queued: float | None
    total: float | None


class Urls(BaseModel):
    """Where to go on."""

    self: str
    results: str
    events: str
    pause: str
    resume: str
    cancel: str
    retry: str


class ResultModel(BaseModel):
    """What gave the answer."""

    name: str
    version: str
    precision: str
    stage: str | None


class ResultTimings(BaseModel):
    """Milliseconds until the prediction began, and in the forward pass of the micro-batch that held the review."""

    queued: float | None
    inference: float | None


class ResultError(BaseModel):
    """Why a row failed: `exhausted`, it broke the model too often (retry it by hand); others say what it lacks."""

    code: str
    detail: str
    attempts: int


class SimilarReview(BaseModel):
    """A labelled review that resembles this one, as it was when this one was judged."""

    text: str = Field(description="Its beginning, at most 500 characters.")
    sentiment: str = Field(description="Its true label.")
    similarity: float = Field(description="In topic and judgement together: 1 at most, about 0 for what is unrelated.")


class Result(BaseModel):
    """One review's state and, when it has succeeded, its sentiment."""

    review_id: UUID | None = Field(
        description="Rows of a job with the same text share it; null for a row that holds nothing to judge."
    )
    id: str | None = Field(description="The caller's own id.")
    index: int = Field(description="Place in the job as sent, from 0.")
    line: int | None = Field(description="Line of the file on which the row starts; null in a job sent as JSON.")
    status: ReviewStatus
    sentiment: str | None
    confidence: float | None = Field(description="Calibrated probability of `sentiment`.")
    probabilities: dict[str, float] | None
    warnings: list[str] = Field(
        description="What lowers the confidence: `language` where the text is in a language that the model does not"
        " know, or in none."
    )
    similar_reviews: list[SimilarReview]
    model: ResultModel | None
    cached: bool = Field(
        description="Whether this model had judged the same text before and its prediction was taken from the cache;"
        " `timings_ms.inference` is 0 then."
    )
    truncated: bool | None = Field(description="Whether the model saw less than the whole text.")
    tokens: int | None = Field(description="Tokens of the whole text.")
    timings_ms: ResultTimings
    error: ResultError | None


class File(BaseModel):
    """How an uploaded table was read."""

    columns: list[str]
    text_column: str
    delimiter: str
    encoding: str
    quoting: str
    notes: list[str] = Field(description="What was recognised beyond a plain header and its rows.")


class JobOut(BaseModel):
    """A job; `results` inline up to 100 reviews, else null (see `urls.results`)."""

    id: UUID
    status: JobStatus
    lane: Lane
    model: str = Field(description="The one that the job named, or that was chosen when it was submitted.")
    warning: str | None = Field(description="Why it does not go on: no live worker serves its model; else null.")
    metadata: dict[str, Any]
    counts: Counts
    progress: float = Field(description="Share of reviews that need no more work, 0 to 1.")
    reviews_per_second: float | None = Field(description="Lately, or of a finished job on the whole; null if unknown.")
    remaining_seconds: float | None = Field(description="Until the end at that pace; null if unknown or paused.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    timings_ms: JobTimings
    file: File | None = Field(description="Null in a job that came as JSON or NDJSON.")
    evaluation: Evaluation | None = Field(
        description="Of a finished job whose file had a label column; null in lists of jobs."
    )
    urls: Urls
    results: list[Result] | None


class ClassifyOut(BaseModel):
    """The short form's answer."""

    sentiment: str
    confidence: float
    warnings: list[str] = Field(description="As those of a result in a job.")
    similar_reviews: list[SimilarReview]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"sentiment": "positive", "confidence": 0.92, "warnings": [], "similar_reviews": []}]
        }
    )


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page; pass `next` as `after` for the one behind it, null at the end."""

    data: list[Item]
    next: str | None


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | None
    errors: list[dict[str, str]]
