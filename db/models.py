"""The tables, which Alembic compares with the migrations, and the names of lanes and states."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, REAL
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.vectors import EMBEDDING_DIMENSIONS, HalfVector


class Lane(StrEnum):
    """The priority of a job."""

    INTERACTIVE = "interactive"  #: small jobs, whose callers wait for the result
    BULK = "bulk"  #: everything else


class ModelLane(NamedTuple):
    """One queue: the jobs of a lane for one model. Jobs for other models are in other queues and delay nothing here."""

    model: str
    lane: Lane


class JobStatus(StrEnum):
    """The state of a job; final from `succeeded` on."""

    QUEUED = "queued"
    PROCESSING = "processing"
    PAUSED = "paused"  #: no review is claimed until it is resumed
    SUCCEEDED = "succeeded"  #: at least one review has a result
    FAILED = "failed"  #: no review has a result
    CANCELLED = "cancelled"
    EXPIRED = "expired"  #: its deadline passed before the end


class ReviewStatus(StrEnum):
    """The state of a review; final from `succeeded` on, except that a failed one can be retried."""

    QUEUED = "queued"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class Base(DeclarativeBase):
    """Naming convention and column types of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy declares it as an instance attribute
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        UUID: Uuid,
    }


class Job(Base):
    """One submission: the number of its rows in each state, and the times of its state changes.

    The five counters always add up to `total`. They change in the same transaction as the reviews, by their copies.
    Every queued review of the job has an index >= `next_index`, so that a claim never scans finished ones.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        _one_of("status", JobStatus),
        _one_of("lane", Lane),
        CheckConstraint(
            "queued + processing + succeeded + failed + cancelled = total"
            " AND least(queued, processing, succeeded, failed, cancelled) >= 0",
            name="counts_add_up",
        ),
        Index("ix_jobs_claim", "lane", "model", "served_at", postgresql_where=text("queued > 0")),
        Index("ix_jobs_status_id", "status", "id"),
        Index("ix_jobs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index(
            "ix_jobs_deadline_at",
            "deadline_at",
            postgresql_where=text("deadline_at IS NOT NULL AND finished_at IS NULL"),
        ),
        # Counters change with every batch: free space on the page keeps the row versions on it.
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.uuidv7())
    status: Mapped[str] = mapped_column(server_default=JobStatus.QUEUED)
    lane: Mapped[str]
    model: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    total: Mapped[int]
    queued: Mapped[int]
    processing: Mapped[int] = mapped_column(server_default="0")
    succeeded: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    cancelled: Mapped[int] = mapped_column(server_default="0")
    next_index: Mapped[int] = mapped_column(server_default="0")
    layout: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  #: of the file that it came in
    labelled: Mapped[bool] = mapped_column(server_default="false")  #: its rows have labels to compare with
    labelling: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  #: its label column, labels of the values
    evaluation: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  #: predictions against labels, at its end
    pace: Mapped[float] = mapped_column(REAL, server_default="0")  #: rows per second; decays to a third in 30 s
    pace_began: Mapped[datetime | None]  #: first claim since the job was added, resumed or retried
    paced_at: Mapped[datetime | None]
    similar_wanted: Mapped[int] = mapped_column(SmallInteger, server_default="0")  #: number of similar reviews to find
    tokens_estimate: Mapped[int] = mapped_column(BigInteger, server_default="0")  #: of all its distinct texts
    traceparent: Mapped[str | None]  #: W3C trace context of the request that submitted it
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    served_at: Mapped[datetime] = mapped_column(server_default=func.now())  #: last claim; oldest is served first
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]


class Review(Base):
    """A distinct text of a job: its state and result. No index contains a column that changes, so updates are HOT."""

    __tablename__ = "reviews"
    __table_args__ = (
        _one_of("status", ReviewStatus),
        UniqueConstraint("job_id", "index"),
        # Space for a review's two updates on its own page: 88 % of them are HOT, and 64 % with 70, with the same size.
        {"postgresql_with": {"fillfactor": 45}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    lease_token: Mapped[UUID | None]
    queued_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    index: Mapped[int]  #: of the first row with this text
    copies: Mapped[int] = mapped_column(server_default="1")  #: rows with this text
    tokens_estimate: Mapped[int]
    tokens: Mapped[int | None]
    queued_ms: Mapped[float | None] = mapped_column(REAL)  #: until its prediction began
    inference_ms: Mapped[float | None] = mapped_column(REAL)
    #: No foreign key: models are never deleted, and the check would lock the same row for every result.
    model_id: Mapped[int | None] = mapped_column(SmallInteger)
    label: Mapped[int | None] = mapped_column(SmallInteger)  #: index in the model's labels
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")  #: failures alone in a batch or claim
    suspect: Mapped[bool] = mapped_column(server_default="false")  #: was in a lost batch: claimed alone
    cached: Mapped[bool] = mapped_column(server_default="false")  #: its prediction came from the cache
    warnings: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  #: reasons for less confidence
    truncated: Mapped[bool | None]
    status: Mapped[str] = mapped_column(server_default=ReviewStatus.QUEUED)
    stage: Mapped[str | None]
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    probabilities: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    #: Stored with the prediction: a result does not change when examples do.
    similar_reviews: Mapped[list[dict[str, Any]] | None]


class JobRow(Base):
    """A row as the caller sent it. It is written once; states are in `reviews`, since an UPDATE copies a whole row.

    A row without a usable text has an error and no review. `review_id` has no foreign key: the rows of a file are
    copied before their reviews exist, and both are deleted with their job.
    """

    __tablename__ = "job_rows"
    __table_args__ = (CheckConstraint("(review_id IS NULL) = (error_code IS NOT NULL)", name="judged_or_refused"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    review_id: Mapped[UUID | None]
    index: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int | None]  #: of the file
    text: Mapped[str]
    caller_id: Mapped[str | None]
    label: Mapped[str | None]  #: the correct label, as the caller wrote it
    others: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  #: the record's cells without the text
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]


class Example(Base):
    """A labelled review, shown beside similar ones. `embedding` is the vector of text and label by `embedder`."""

    __tablename__ = "examples"
    __table_args__ = (
        UniqueConstraint("dataset", "text_sha256"),
        # Embeddings are unit vectors, for which the inner product is the cosine and the cheapest distance.
        Index(
            "ix_examples_embedding",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "halfvec_ip_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    dataset: Mapped[str]
    text: Mapped[str]
    text_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    label: Mapped[str]  #: by name, since models may order their labels differently
    group_key: Mapped[str | None]  #: the subject of the review, such as the film
    embedder: Mapped[str | None]  #: sha256 of the embedder's file
    embedding: Mapped[str | None] = mapped_column(HalfVector(EMBEDDING_DIMENSIONS))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CachedPrediction(Base):
    """A prediction of a model for a text, keyed by the hash of both (db.prediction_cache)."""

    __tablename__ = "prediction_cache"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    probabilities: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    stage: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    tokens: Mapped[int]
    label: Mapped[int] = mapped_column(SmallInteger)
    truncated: Mapped[bool]
    warnings: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Lease(Base):
    """One claim. Heartbeats extend `expires_at`, up to a maximum after `started_at`."""

    __tablename__ = "leases"

    token: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    worker: Mapped[str]
    review_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Model(Base):
    """A model version that a worker has loaded and checked."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("name", "version", "precision"),)

    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=True), primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    precision: Mapped[str]
    backend: Mapped[str]
    labels: Mapped[list[str]] = mapped_column(ARRAY(Text))
    max_tokens: Mapped[int] = mapped_column(Integer)
    metrics: Mapped[list[dict[str, Any]]]
    registered_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Worker(Base):
    """A worker process; `seen_at` is the last time that it was woken through the queue and asked for work."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey("models.id"))
    tokens_per_second: Mapped[float | None] = mapped_column(REAL)  #: estimated tokens, measured while work was waiting
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class IdempotencyKey(Base):
    """A caller's key, and the job that it created."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class Feedback(Base):
    """The correct sentiment of a classified review, given by a caller; the latest wins."""

    __tablename__ = "feedback"

    review_id: Mapped[UUID] = mapped_column(ForeignKey("reviews.id", ondelete="CASCADE"), primary_key=True)
    sentiment: Mapped[str]
    agrees: Mapped[bool]  #: with the model's prediction
    #: The example made of its text, if the caller shares it; deleted with the last feedback that refers to it.
    example_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("examples.id", ondelete="SET NULL"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


#: An answered request, without any text. One partition a day, `request_log_20261122`. No primary key, since nothing
#: refers to a row. `at` is the end of the response, `key` identifies the caller.
REQUEST_LOG = Table(
    "request_log",
    Base.metadata,
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    Column("request_id", Text, nullable=False),
    Column("key", Text),
    Column("method", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("duration_ms", REAL, nullable=False),
    Column("request_bytes", BigInteger, nullable=False),
    Column("response_bytes", BigInteger, nullable=False),
    Column("job_id", Uuid),
    postgresql_partition_by="RANGE (at)",
)
