"""The statements that add a job from a file: COPY its rows, then make reviews of them. Called by api.routes.uploads.

All in one transaction, so that a file is accepted whole or leaves nothing. Constant memory here and in the driver.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from db import admission
from db.engine import driver_cursor
from db.models import Lane, ModelLane
from db.submissions import CHARS_PER_TOKEN
from files.row import Row

Within: TypeAlias = Callable[[ModelLane], float]


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A job to add from a file, for a model that is chosen when it is added; its lane is known by its rows."""

    deadline: timedelta | None
    layout: dict[str, Any] | None
    labelling: dict[str, Any] | None  #: of a file with labels: the column's `column` name, what values mean as `told`
    interactive_max_reviews: int
    traceparent: str | None = None  #: W3C trace context of the request


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A job that was added: its rows, the distinct texts among them, and its unreadable rows by their code."""

    job_id: UUID
    queue: ModelLane
    rows: int
    reviews: int
    refused: Mapping[str, int]


# The longest wait is for the caller's next bytes, and those have a limit of their own.
_NO_LIMIT = text("SET LOCAL statement_timeout = 0")
_BEGIN = text("""
INSERT INTO jobs (lane, model, total, queued, layout, labelled, labelling, traceparent)
VALUES ('bulk', :model, 0, 0, :layout, :labelled, :labelling, :traceparent)
RETURNING id
""").bindparams(
    bindparam("layout", type_=JSONB(none_as_null=True)), bindparam("labelling", type_=JSONB(none_as_null=True))
)
_COPY = """
COPY job_rows (job_id, review_id, index, line, text, caller_id, label, others, error_code, error_detail) FROM STDIN
"""
# octet_length reads no compressed text. Sorted, since reviews are claimed in that order.
_REVIEWS = text(f"""
WITH added AS (
    INSERT INTO reviews (id, job_id, index, copies, tokens_estimate, queued_at)
    SELECT review_id, :job, min(index), count(*), min(2 + octet_length(text) / {CHARS_PER_TOKEN}), clock_timestamp()
    FROM job_rows WHERE job_id = :job AND review_id IS NOT NULL
    GROUP BY review_id ORDER BY 3
    RETURNING tokens_estimate
)
SELECT count(*) AS reviews, coalesce(sum(tokens_estimate), 0) AS tokens FROM added
""")  # noqa: S608  our own text
_SORT_MEMORY = text("SET LOCAL work_mem = '64MB'")
_END = text("""
UPDATE jobs SET
    lane = :lane, tokens_estimate = :tokens, total = :total, queued = :total - :failed, failed = :failed,
    created_at = clock_timestamp(), served_at = clock_timestamp(), deadline_at = clock_timestamp() + :deadline,
    status = CASE WHEN :total = :failed THEN 'failed' ELSE 'queued' END,
    finished_at = CASE WHEN :total = :failed THEN clock_timestamp() END
WHERE id = :job
""")


def add(
    connection: Connection, upload: NewUpload, model: str, rows: Iterable[Row], within: Within | None = None
) -> Uploaded:
    """Add a job for a model with all rows of a file, queued; what `rows` raises leaves nothing behind.

    Raises:
        LaneFull: what stands before it in its queue takes longer than `within` says, in seconds.
    """
    connection.execute(_NO_LIMIT)
    parameters = {name: getattr(upload, name) for name in ("layout", "labelling", "traceparent")}
    parameters |= {"model": model, "labelled": upload.labelling is not None}
    job_id: UUID = connection.execute(_BEGIN, parameters).scalar_one()
    total, refused = _copy(connection, job_id, rows)
    connection.execute(_SORT_MEMORY)
    added = connection.execute(_REVIEWS, {"job": job_id}).one()
    lane = Lane.INTERACTIVE if total <= upload.interactive_max_reviews else Lane.BULK
    queue = ModelLane(model, lane)
    if within:
        admission.enter(connection, queue, within(queue))
    counts = {"total": total, "failed": refused.total(), "tokens": added.tokens}
    connection.execute(_END, {"job": job_id, "lane": lane, "deadline": upload.deadline, **counts})
    return Uploaded(job_id, queue, total, added.reviews, refused)


def _copy(connection: Connection, job_id: UUID, rows: Iterable[Row]) -> tuple[int, Counter[str]]:
    """COPY the rows; how many there were, and how many of them hold nothing to judge, by their code."""
    total, refused = 0, Counter[str]()
    job = str(job_id)
    with driver_cursor(connection) as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            code, detail = row.error or (None, None)
            review_id = None if code else _review_id(job_id.bytes, row.text)
            copy.write_row((job, review_id, *row[:-1], code, detail))
            total += 1
            if code:
                refused[code] += 1
    return total, refused


def _review_id(job: bytes, body: str) -> str:
    """A UUIDv7 with the job's time and, for its random bits, a keyed hash of the text: equal texts are one review.

    The key is the job's id, which no caller knows beforehand, so that nobody can prepare two texts with one hash.
    """
    digest = blake2b(body.encode(), digest_size=10, key=job).digest()
    number = int.from_bytes(job[:6] + digest)
    number = number & ~(0xF << 76) | (0x7 << 76)  # version
    number = number & ~(0x3 << 62) | (0x2 << 62)  # variant
    return f"{number:032x}"
