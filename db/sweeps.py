"""Statements of the maintenance rounds: idempotent, bounded, and safe to run in several processes at once."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, text

from db import feedback, jobs
from db.jobs import Ended
from db.models import JobStatus, Lane
from db.rows import all_rows, columns
from db.stored import LockedJob

# `=`, not `IN`: PostgreSQL may run the subquery of an IN once for each row, and then delete several leases.
_EXPIRED_LEASE = text("""
DELETE FROM leases WHERE token = (
    SELECT token FROM leases WHERE expires_at < now() ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING token, review_ids
""")
_LOCK_JOBS = text("""
SELECT FROM jobs WHERE id IN (SELECT job_id FROM reviews WHERE id = ANY (:reviews)) ORDER BY id FOR UPDATE
""")
_GIVE_BACK = text("""
WITH lost AS (
    UPDATE reviews SET
        status = CASE WHEN :alone AND attempts + 1 >= :max_attempts THEN 'failed' ELSE 'queued' END,
        finished_at = CASE WHEN :alone AND attempts + 1 >= :max_attempts THEN now() END,
        error_code = CASE WHEN :alone AND attempts + 1 >= :max_attempts THEN 'exhausted' END,
        error_detail = CASE WHEN :alone AND attempts + 1 >= :max_attempts
            THEN format('the worker was lost %s times with this review alone', attempts + 1) END,
        attempts = attempts + CASE WHEN :alone THEN 1 ELSE 0 END,
        suspect = true, lease_token = NULL, claimed_at = NULL
    WHERE id = ANY (:reviews) AND status = 'processing' AND lease_token = :token
    RETURNING job_id, index, copies, status
), share AS (
    SELECT job_id, sum(copies) AS n, coalesce(sum(copies) FILTER (WHERE status = 'failed'), 0) AS failed,
           min(index) FILTER (WHERE status = 'queued') AS first
    FROM lost GROUP BY job_id
)
UPDATE jobs SET
    processing = processing - n, queued = queued + n - share.failed, failed = jobs.failed + share.failed,
    next_index = least(next_index, share.first),
    finished_at = CASE WHEN queued + n - share.failed = 0 AND processing = n THEN now() END,
    status = CASE WHEN queued + n - share.failed > 0 OR processing > n THEN status
                  WHEN succeeded > 0 THEN 'succeeded' ELSE 'failed' END
FROM share WHERE jobs.id = share.job_id
RETURNING jobs.id, jobs.lane, share.failed
""")


def give_back_lost(connection: Connection, max_attempts: int) -> list[Ended] | None:
    """Queue the reviews of one expired lease again, each to be claimed alone.

    A review that was alone in its lease has used up an attempt, and fails at `max_attempts`. Call it once for each
    transaction, so that jobs are locked in the order of their ids.

    Returns:
        The rows that failed by this, usually none; None if no lease has expired.
    """
    lease = connection.execute(_EXPIRED_LEASE).one_or_none()
    if lease is None:
        return None
    connection.execute(_LOCK_JOBS, {"reviews": lease.review_ids})
    parameters = {"reviews": lease.review_ids, "token": lease.token, "max_attempts": max_attempts}
    given = connection.execute(_GIVE_BACK, parameters | {"alone": len(lease.review_ids) == 1})
    return [Ended(job.id, Lane(job.lane), job.failed, "exhausted") for job in given if job.failed]


_OVERDUE = text(f"""
SELECT {columns(LockedJob)} FROM jobs WHERE deadline_at < now() AND finished_at IS NULL
ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
""")  # noqa: S608  our own text


def expire_overdue(connection: Connection) -> list[Ended]:
    """End jobs whose deadline has passed, at most 100; their finished reviews keep their results."""
    overdue = all_rows(LockedJob, connection.execute(_OVERDUE))
    return [jobs.stop(connection, job, JobStatus.EXPIRED) for job in overdue]


_FORGET_KEYS = text("DELETE FROM idempotency_keys WHERE created_at < now() - :age")
_FORGET_JOBS = text("""
DELETE FROM jobs WHERE id = ANY (ARRAY(
    SELECT id FROM jobs WHERE finished_at < now() - :age ORDER BY finished_at LIMIT 100 FOR UPDATE SKIP LOCKED
))
""")
_FORGET_WORKERS = text("DELETE FROM workers WHERE seen_at < now() - interval '1 hour'")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long finished jobs and idempotency keys are kept."""

    jobs: timedelta
    idempotency_keys: timedelta


def forget_old(connection: Connection, retention: Retention) -> None:
    """Delete jobs, keys, shared examples and rows of lost workers that are past their retention."""
    connection.execute(_FORGET_KEYS, {"age": retention.idempotency_keys})
    connection.execute(jobs.ALL_REVIEWS)
    connection.execute(_FORGET_JOBS, {"age": retention.jobs})
    feedback.forget_unshared(connection)
    connection.execute(_FORGET_WORKERS)
