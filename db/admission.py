"""What stands before a new job in its lane, and whether that still lets it in. Called by db.submissions and db.uploads.

Decided under a lock of the lane that is held until the job is committed, so of two at once the second counts the first.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection

from db.engine import driver_connection
from db.models import Lane


@dataclass(frozen=True, slots=True)
class Ahead:
    """Estimated tokens that are to be judged before a new job, and how many all live workers judge in a second.

    The pace is None while no live worker has measured its own: then nobody can say how long the wait is.
    """

    tokens: float
    tokens_per_second: float | None

    @property
    def seconds(self) -> float:
        """The wait; 0 where the pace is unknown."""
        return self.tokens / self.tokens_per_second if self.tokens_per_second else 0.0


class LaneFull(Exception):
    """So much stands before the job that it was not added."""

    def __init__(self, lane: Lane, ahead: Ahead) -> None:
        super().__init__(f"{ahead.seconds:.3f} s of work wait")
        self.lane = lane
        self.ahead = ahead


# Bulk is judged when nothing interactive waits.
_BEFORE = {Lane.INTERACTIVE: [Lane.INTERACTIVE.value], Lane.BULK: [Lane.INTERACTIVE.value, Lane.BULK.value]}
_LOCK_SPACE = 0x5EED  # of pg_advisory_xact_lock(int, int); idempotency keys have the space of bigint
_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK_SPACE}, %(lane)s::int)"

#: The row `ahead` (tokens, tokens_per_second) of a WITH; wants `before` from `parameters`. What has been claimed
#: is found by its lease: its job may have nothing queued any more, and no index would find it.
AHEAD = """
ahead AS MATERIALIZED (
    SELECT (
        SELECT coalesce(sum(tokens_estimate * (queued::float8 / total)), 0) FROM jobs
        WHERE queued > 0 AND lane = ANY (%(before)s) AND status <> 'paused'
          AND (deadline_at IS NULL OR deadline_at > now())
    ) + (
        SELECT coalesce(sum(review.tokens_estimate), 0)
        FROM leases AS lease CROSS JOIN LATERAL unnest(lease.review_ids) AS held (id)
        JOIN reviews AS review ON review.id = held.id AND review.lease_token = lease.token
        JOIN jobs AS job ON job.id = review.job_id AND job.lane = ANY (%(before)s)
    ) AS tokens, (
        SELECT sum(tokens_per_second)::float8 FROM workers WHERE seen_at > now() - interval '30 s'
    ) AS tokens_per_second
)
"""
_ASK = f"WITH {AHEAD} SELECT tokens, tokens_per_second FROM ahead"  # noqa: S608  our own text


def parameters(lane: Lane) -> dict[str, Any]:
    """What AHEAD wants for a lane."""
    return {"before": _BEFORE[lane]}


def lock(driver: psycopg.Connection[Any], lane: Lane) -> None:
    """Let nobody else add to the lane until this transaction ends."""
    driver.execute(_LOCK, {"lane": list(Lane).index(lane)})


def ahead(connection: Connection, lane: Lane) -> Ahead:
    """What stands before a job that came now."""
    [row] = driver_connection(connection).execute(_ASK, parameters(lane)).fetchall()
    return Ahead(*row)


def enter(connection: Connection, lane: Lane, within: float) -> None:
    """Lock the lane for this transaction, which is about to add a job to it.

    Raises:
        LaneFull: what stands before it takes longer than `within` seconds.
    """
    lock(driver_connection(connection), lane)
    found = ahead(connection, lane)
    if found.seconds > within:
        raise LaneFull(lane, found)
