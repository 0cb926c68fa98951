"""Statements about existing jobs. `submissions` and `uploads` add jobs; `leases` has the statements of the worker.

Every change of a review's state locks its job first, and several jobs in the order of their ids. So the counters of a
job agree with the states of its reviews, and two writers cannot deadlock.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from db import feedback
from db.models import JobStatus, Lane, ModelLane
from db.predicates import CLAIMABLE, LIVE_WORKER
from db.rows import all_rows, columns, one_row
from db.stored import LockedJob, StoredJob

# The pace (leases.complete) decayed to now. The divisor corrects for its start at 0.
_READ = f"""
SELECT id, status, lane, model, metadata, total, queued, processing, succeeded, failed, cancelled, layout, labelled,
       labelling, evaluation, created_at, started_at, finished_at, deadline_at, finished_at IS NULL AND NOT EXISTS (
    SELECT FROM workers AS worker JOIN models AS served ON served.id = worker.model_id
    WHERE served.name = jobs.model AND {LIVE_WORKER}
) AS without_worker, CASE
    WHEN finished_at > started_at THEN (succeeded + failed) / extract(epoch FROM finished_at - started_at)::float
    WHEN status = 'processing' AND paced_at > pace_began
    THEN pace * exp(-least(50, extract(epoch FROM clock_timestamp() - paced_at) / 30))
         / (1 - exp(-least(50, extract(epoch FROM clock_timestamp() - pace_began) / 30)))
END AS reviews_per_second
FROM jobs
"""  # noqa: S608  our own text
GET = text(f"{_READ} WHERE id = :id")


def get(connection: Connection, job_id: UUID) -> StoredJob | None:
    """Return a job, or None."""
    return one_row(StoredJob, connection.execute(GET, {"id": job_id}))


_PAGE = text(f"""
{_READ}
WHERE (CAST(:status AS text) IS NULL OR status = :status) AND (CAST(:after AS uuid) IS NULL OR id < :after)
ORDER BY id DESC LIMIT :limit
""")


def page(connection: Connection, status: JobStatus | None, after: UUID | None, limit: int) -> list[StoredJob]:
    """Return jobs from newest to oldest (ids are UUIDv7); with `after`, only jobs older than that one."""
    return all_rows(StoredJob, connection.execute(_PAGE, {"status": status, "after": after, "limit": limit}))


@dataclass(frozen=True, slots=True)
class Ended:
    """Rows of one job that ended together; `reason` is the error code if they failed, else empty."""

    job_id: UUID
    lane: Lane
    rows: int
    reason: str = ""


_LOCK = text(f"SELECT {columns(LockedJob)} FROM jobs WHERE id = :id FOR UPDATE")  # noqa: S608  our own text


def lock(connection: Connection, job_id: UUID) -> LockedJob | None:
    """Lock a job until the transaction ends and return it; None if there is no such job."""
    return one_row(LockedJob, connection.execute(_LOCK, {"id": job_id}))


# A statement that updates a million reviews takes half a minute, longer than a request's limit.
ALL_REVIEWS = text("SET LOCAL statement_timeout = '10min'")
_STOP = text("""
WITH stopped AS (
    UPDATE reviews SET status = 'cancelled', finished_at = now(), lease_token = NULL
    WHERE job_id = :id AND status IN ('queued', 'processing') AND index >= :first
    RETURNING copies
)
UPDATE jobs SET status = :status, queued = 0, processing = 0, finished_at = now(),
                cancelled = cancelled + (SELECT coalesce(sum(copies), 0) FROM stopped)
WHERE id = :id
RETURNING cancelled
""")

FINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})


def stop(connection: Connection, job: LockedJob, status: JobStatus) -> Ended:
    """End a locked, unfinished job as `status` (cancelled or expired); finished reviews keep their results.

    A review that is being predicted loses its lease, so that its result is refused.
    """
    # If nothing is in flight, every review below next_index is finished.
    first = 0 if job.processing else job.next_index
    connection.execute(ALL_REVIEWS)
    cancelled = connection.execute(_STOP, {"id": job.id, "status": status, "first": first}).scalar_one()
    return Ended(job.id, Lane(job.lane), cancelled - job.cancelled)


_PAUSE = text("UPDATE jobs SET status = 'paused' WHERE id = :id AND finished_at IS NULL")
_RESUME = text("""
UPDATE jobs SET status = CASE WHEN started_at IS NULL THEN 'queued' ELSE 'processing' END,
                pace = 0, pace_began = NULL, paced_at = NULL
WHERE id = :id AND status = 'paused'
""")


def pause(connection: Connection, job: LockedJob) -> None:
    """Stop claims of a locked, unfinished job; claimed reviews are still predicted."""
    connection.execute(_PAUSE, {"id": job.id})


def resume(connection: Connection, job: LockedJob) -> None:
    """Resume a locked job; do nothing if it is not paused."""
    connection.execute(_RESUME, {"id": job.id})


_RETRY = text("""
WITH again AS (
    UPDATE reviews SET status = 'queued', queued_at = now(), attempts = 0, suspect = true,
           finished_at = NULL, error_code = NULL, error_detail = NULL
    WHERE job_id = :id AND status = 'failed'
    RETURNING index, copies
)
UPDATE jobs SET status = CASE WHEN status = 'paused' OR processing > 0 THEN status ELSE 'queued' END,
                finished_at = NULL, evaluation = NULL, pace = 0, pace_began = NULL, paced_at = NULL,
                queued = queued + again.n, failed = failed - again.n,
                next_index = least(next_index, again.first)
FROM (SELECT sum(copies) AS n, min(index) AS first FROM again) AS again
WHERE id = :id AND again.n > 0
""")


def retry(connection: Connection, job: LockedJob) -> None:
    """Queue the failed reviews of a locked job again, each to be claimed alone."""
    connection.execute(ALL_REVIEWS)
    connection.execute(_RETRY, {"id": job.id})


_DELETE = text("DELETE FROM jobs WHERE id = :id")


def delete(connection: Connection, job_id: UUID) -> bool:
    """Delete a job with its reviews, texts and shared examples; return False if there is no such job."""
    connection.execute(ALL_REVIEWS)
    shared = feedback.shared_by(connection, job_id)
    found = connection.execute(_DELETE, {"id": job_id}).rowcount == 1
    feedback.forget_examples(connection, shared)
    return found


_WAITING = text(f"SELECT EXISTS (SELECT FROM jobs WHERE lane = :lane AND model = :model AND {CLAIMABLE})")  # noqa: S608


def waiting(connection: Connection, lane: Lane, model: str) -> bool:
    """Return whether a review waits in the lane."""
    return bool(connection.scalar(_WAITING, {"lane": lane, "model": model}))


_BACKLOG = text(f"""
SELECT model, lane, sum(queued)::int AS reviews,
       extract(epoch FROM now() - min(created_at))::float AS oldest_seconds
FROM jobs WHERE {CLAIMABLE} GROUP BY model, lane
""")  # noqa: S608  our own text


@dataclass(frozen=True, slots=True)
class Backlog:
    """The waiting reviews of a queue, and the age of the oldest job with a waiting review, in seconds."""

    queue: ModelLane
    reviews: int
    oldest_seconds: float


def backlog(connection: Connection) -> list[Backlog]:
    """Return one entry for each model and lane in which reviews wait."""
    found = connection.execute(_BACKLOG)
    return [Backlog(ModelLane(row.model, Lane(row.lane)), row.reviews, row.oldest_seconds) for row in found]
