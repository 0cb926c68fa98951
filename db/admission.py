"""What stands before a new job in its lane and model, and whether that still lets it in.

Decided under a lock of that queue, held until the job is committed, so of two at once the second counts the first.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection

from db.engine import driver_connection
from db.models import Lane, ModelLane
from db.registrations import FRESH_SQL as FRESH


@dataclass(frozen=True, slots=True)
class Ahead:
    """Estimated tokens to be judged before a new job, and how many its model's live workers judge in a second.

    The pace is None while none of them has measured its own: then nobody can say how long the wait is.
    """

    tokens: float
    tokens_per_second: float | None

    @property
    def seconds(self) -> float:
        """The wait; 0 where the pace is unknown."""
        return self.tokens / self.tokens_per_second if self.tokens_per_second else 0.0


class LaneFull(Exception):
    """So much stands before the job that it was not added."""

    def __init__(self, queue: ModelLane, ahead: Ahead) -> None:
        super().__init__(f"{ahead.seconds:.3f} s of work wait")
        self.queue = queue
        self.ahead = ahead


# Bulk is judged when nothing interactive waits.
_BEFORE = {Lane.INTERACTIVE: [Lane.INTERACTIVE.value], Lane.BULK: [Lane.INTERACTIVE.value, Lane.BULK.value]}
_LOCK_SPACE = 0x5EED  # of pg_advisory_xact_lock(int, int); idempotency keys have the space of bigint
_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK_SPACE}, hashtext(%(queue)s))"

#: The row `ahead` (tokens, tokens_per_second) of a WITH; wants `parameters`. What has been claimed
#: is found by its lease: its job may have nothing queued any more, and no index would find it.
AHEAD = f"""
ahead AS MATERIALIZED (
    SELECT (
        SELECT coalesce(sum(tokens_estimate * (queued::float8 / total)), 0) FROM jobs
        WHERE queued > 0 AND model = %(model)s AND lane = ANY (%(before)s) AND status <> 'paused'
          AND (deadline_at IS NULL OR deadline_at > now())
    ) + (
        SELECT coalesce(sum(review.tokens_estimate), 0)
        FROM leases AS lease CROSS JOIN LATERAL unnest(lease.review_ids) AS held (id)
        JOIN reviews AS review ON review.id = held.id AND review.lease_token = lease.token
        JOIN jobs AS job ON job.id = review.job_id AND job.model = %(model)s AND job.lane = ANY (%(before)s)
    ) AS tokens, (
        SELECT sum(worker.tokens_per_second)::float8
        FROM workers AS worker JOIN models AS model ON model.id = worker.model_id
        WHERE model.name = %(model)s AND worker.seen_at > now() - {FRESH}
    ) AS tokens_per_second
)
"""  # noqa: S608  our own text
_ASK = f"WITH {AHEAD} SELECT tokens, tokens_per_second FROM ahead"  # noqa: S608  our own text


def parameters(queue: ModelLane) -> dict[str, Any]:
    """What AHEAD wants for a queue."""
    return {"model": queue.model, "before": _BEFORE[queue.lane]}


def lock(driver: psycopg.Connection[Any], queue: ModelLane) -> None:
    """Let nobody else add to the queue until this transaction ends."""
    driver.execute(_LOCK, {"queue": f"{queue.lane} {queue.model}"})


def ahead(connection: Connection, queue: ModelLane) -> Ahead:
    """What stands before a job that came now."""
    [row] = driver_connection(connection).execute(_ASK, parameters(queue)).fetchall()
    return Ahead(*row)


def enter(connection: Connection, queue: ModelLane, within: float) -> None:
    """Lock the queue for this transaction, which is about to add a job to it.

    Raises:
        LaneFull: what stands before it takes longer than `within` seconds.
    """
    lock(driver_connection(connection), queue)
    found = ahead(connection, queue)
    if found.seconds > within:
        raise LaneFull(queue, found)
