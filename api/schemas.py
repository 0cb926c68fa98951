"""The JSON bodies of requests and answers. Their names are the public contract; `db.models` has the database's."""

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
    # PostgreSQL's type `text` can hold neither.
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
MODEL = "Name of a model in `GET /v1/models` that has workers. Default: DEFAULT_MODEL, or the only model served."
Similar = Annotated[int, Field(ge=0, le=20)]
SIMILAR = 3  # for a single review


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ReviewIn(_In):
    """A review to classify."""

    text: Text = Field(
        description="The review. HTML line breaks are removed; a long text is truncated, and `truncated` tells so."
    )
    id: Annotated[str, AfterValidator(_storable)] | None = Field(
        None, max_length=200, description="Your id for the review; the result repeats it."
    )

    @property
    def tokens_estimate(self) -> int:
        """Return the estimated number of tokens, for admission and for the size of a worker's claim."""
        return 2 + int(len(self.text) / CHARS_PER_TOKEN)


class JobIn(_In):
    """Reviews to classify together."""

    reviews: list[ReviewIn] = Field(min_length=1)
    model: ModelName | None = Field(None, description=MODEL)
    similar: Similar | None = Field(
        None,
        description=f"Number of similar labelled reviews in each result. Default: {SIMILAR} for a job of one review,"
        " else 0. Results as CSV or Parquet have none.",
    )
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_small_and_storable)] = Field(
        default_factory=dict, description="Your own data, at most 16 kB as JSON; the job repeats it."
    )
    deadline_seconds: float | None = Field(
        None,
        gt=0,
        le=31_536_000,
        allow_inf_nan=False,
        description="Seconds from now after which unfinished reviews are dropped and the job is `expired`.",
    )

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reviews": [{"text": "A wonderful film, start to finish.", "id": "42"}]}]}
    )

    @property
    def similar_wanted(self) -> int:
        """Return the number of similar reviews for each review."""
        return (SIMILAR if len(self.reviews) == 1 else 0) if self.similar is None else self.similar


class ClassifyIn(_In):
    """One review to classify."""

    review_text: Text
    model: ModelName | None = Field(None, description=MODEL)
    similar: Similar = Field(SIMILAR, description="Number of similar labelled reviews in the answer.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"review_text": "A wonderful film, start to finish."}]})


class Counts(BaseModel):
    """Number of rows in each state; the five states add up to `total`."""

    total: int
    queued: int
    processing: int
    succeeded: int
    failed: int
    cancelled: int


class JobTimings(BaseModel):
    """Milliseconds from submission to the first claim, and to the end; null until then."""

    queued: float | None
    total: float | None


class Urls(BaseModel):
    """Paths of the job's resources."""

    self: str
    results: str
    events: str
    pause: str
    resume: str
    cancel: str
    retry: str


class ResultModel(BaseModel):
    """The model that made the prediction."""

    name: str
    version: str
    precision: str
    stage: str | None


class ResultTimings(BaseModel):
    """Milliseconds in the queue, and in the forward pass of the micro-batch that held the review."""

    queued: float | None
    inference: float | None


class ResultError(BaseModel):
    """Why a row failed. `exhausted`: the model failed on it too often; other codes name a fault of the row."""

    code: str
    detail: str
    attempts: int


class SimilarReview(BaseModel):
    """A labelled review that resembles this one, as stored when this one was classified."""

    text: str = Field(description="The first 500 characters.")
    sentiment: str = Field(description="The true label.")
    similarity: float = Field(
        description="Similarity of topic and sentiment: at most 1, about 0 for unrelated reviews."
    )


class Result(BaseModel):
    """The state of one row and, once it has succeeded, its sentiment."""

    review_id: UUID | None = Field(
        description="Id of the text: rows of a job with the same text share it. Null for a row without a usable text."
    )
    id: str | None = Field(description="Your id.")
    index: int = Field(description="Position of the row in the job as sent, from 0.")
    line: int | None = Field(description="Line of the file on which the row starts; null in a job sent as JSON.")
    status: ReviewStatus
    sentiment: str | None
    confidence: float | None = Field(description="Calibrated probability of `sentiment`.")
    probabilities: dict[str, float] | None
    warnings: list[str] = Field(
        description="Reasons for a lower confidence: `language` if the text is in no language that the model knows."
    )
    similar_reviews: list[SimilarReview]
    model: ResultModel | None
    cached: bool = Field(
        description="Whether the prediction came from the cache, since this model has classified the same text before;"
        " `timings_ms.inference` is then 0."
    )
    truncated: bool | None = Field(description="Whether the model read only a part of the text.")
    tokens: int | None = Field(description="Number of tokens in the whole text.")
    timings_ms: ResultTimings
    error: ResultError | None


class File(BaseModel):
    """How an uploaded table was read."""

    columns: list[str]
    text_column: str
    delimiter: str
    encoding: str
    quoting: str
    notes: list[str] = Field(description="Anything that was recognised besides a header and its rows.")


class JobOut(BaseModel):
    """A job. `results` holds all results of a job with at most 100 rows, else null (see `urls.results`)."""

    id: UUID
    status: JobStatus
    lane: Lane
    model: str = Field(description="Name of the model, as sent or as chosen at submission.")
    warning: str | None = Field(description="Why the job makes no progress: no live worker serves its model.")
    metadata: dict[str, Any]
    counts: Counts
    progress: float = Field(description="Share of rows that are finished, 0 to 1.")
    reviews_per_second: float | None = Field(
        description="Recent pace, or the mean pace of a finished job; null if unknown."
    )
    remaining_seconds: float | None = Field(
        description="Estimated time to the end at that pace; null if unknown or paused."
    )
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    timings_ms: JobTimings
    file: File | None = Field(description="How the uploaded table was read; null for a job sent as JSON or NDJSON.")
    evaluation: Evaluation | None = Field(
        description="Present once a job whose file has a label column has finished; null in lists of jobs."
    )
    urls: Urls
    results: list[Result] | None


class ClassifyOut(BaseModel):
    """The sentiment of one review."""

    sentiment: str
    confidence: float
    warnings: list[str] = Field(description="As in the results of a job.")
    similar_reviews: list[SimilarReview]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"sentiment": "positive", "confidence": 0.92, "warnings": [], "similar_reviews": []}]
        }
    )


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """One page of a list. Send `next` as `after` to get the next page; it is null on the last one."""

    data: list[Item]
    next: str | None


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="`urn:verdict:` and the name of the error.")
    title: str = Field(description="The name of the HTTP status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="The cause, and the way to correct the request.")
    instance: str = Field(description="The path of the request.")
    request_id: str | None = Field(description="The id of the request in the service's log and in `X-Request-ID`.")
    errors: list[dict[str, str]] = Field(
        description="Each wrong value: `pointer`, a JSON pointer into the body or `query/name`, `header/name`,"
        " `path/name` or `form/name`, and `detail`."
    )
