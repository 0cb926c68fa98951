"""The statements that add a job from a file: COPY its rows, then create its reviews.

One transaction, so that a file is accepted completely or not at all. Memory is constant here and in the driver.
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
    """A job to add from a file. Its model is chosen when it is added, its lane by the number of its rows."""

    deadline: timedelta | None
    layout: dict[str, Any] | None
    labelling: dict[str, Any] | None  #: of labels: name of the `column`, mapping of values as `told`
    interactive_max_reviews: int
    traceparent: str | None = None  #: W3C trace context of the request


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An added job: the numbers of its rows, of their distinct texts, and of unusable rows by error code."""

    job_id: UUID
    queue: ModelLane
    rows: int
    reviews: int
    refused: Mapping[str, int]


# Most of the time is spent waiting for the caller's bytes, which has a limit of its own.
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
# octet_length decompresses no text. Sorted by index, since reviews are claimed in that order.
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
    """Add a job with all rows of a file, queued. If `rows` raises, the caller's transaction rolls everything back.

    Raises:
        LaneFull: the work ahead in its queue takes longer than the seconds that `within` returns.
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
        admission.admit(connection, queue, within(queue))
    counts = {"total": total, "failed": refused.total(), "tokens": added.tokens}
    connection.execute(_END, {"job": job_id, "lane": lane, "deadline": upload.deadline, **counts})
    return Uploaded(job_id, queue, total, added.reviews, refused)


def _copy(connection: Connection, job_id: UUID, rows: Iterable[Row]) -> tuple[int, Counter[str]]:
    """COPY the rows; return their number, and the numbers of unusable ones by error code."""
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
    """Return a UUIDv7 of the job's time and a keyed hash of the text, so that equal texts become one review.

    The key is the job's id, which a caller cannot know in advance and so cannot prepare two texts with the same hash.
    """
    digest = blake2b(body.encode(), digest_size=10, key=job).digest()
    number = int.from_bytes(job[:6] + digest)
    number = number & ~(0xF << 76) | (0x7 << 76)  # version
    number = number & ~(0x3 << 62) | (0x2 << 62)  # variant
    return f"{number:032x}"
