"""Admission control: estimate the work ahead of a new job in its queue, and refuse the job if that is too much.

The decision is made under a lock of the queue that is held until the job is committed. Of two concurrent submissions
the second therefore counts the first.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from db.engine import Pipeline, pipelined
from db.models import Lane, ModelLane
from db.predicates import CLAIMABLE, LIVE_WORKER


@dataclass(frozen=True, slots=True)
class Ahead:
    """Work ahead of a new job in estimated tokens, and the total pace of the live workers of its model.

    The pace is None until a worker has measured one; the wait is unknown then.
    """

    tokens: float
    tokens_per_second: float | None

    @property
    def seconds(self) -> float:
        """Return the estimated wait; 0 if the pace is unknown."""
        return self.tokens / self.tokens_per_second if self.tokens_per_second else 0.0


class LaneFull(Exception):
    """The work ahead of the job takes too long, so the job was not added."""

    def __init__(self, queue: ModelLane, ahead: Ahead) -> None:
        super().__init__(f"{ahead.seconds:.3f} s of work are ahead of the job")
        self.queue = queue
        self.ahead = ahead


# Workers claim bulk reviews only when no interactive review waits.
_LANES_AHEAD = {Lane.INTERACTIVE: [Lane.INTERACTIVE.value], Lane.BULK: [Lane.INTERACTIVE.value, Lane.BULK.value]}
_LOCK_SPACE = 0x5EED  # first key of pg_advisory_xact_lock(int, int); idempotency keys use the bigint form
_LOCK = text(f"SELECT pg_advisory_xact_lock({_LOCK_SPACE}, hashtext(:queue))::text AS locked")

#: A WITH item `ahead` of one row (tokens, tokens_per_second); takes `parameters`. Claimed reviews are found by their
#: leases: a job that is claimed completely has nothing queued, and no index finds it.
AHEAD = f"""
ahead AS MATERIALIZED (
    SELECT (
        SELECT coalesce(sum(tokens_estimate * (queued::float8 / total)), 0) FROM jobs
        WHERE model = :model AND lane = ANY (:before) AND {CLAIMABLE}
    ) + (
        SELECT coalesce(sum(review.tokens_estimate), 0)
        FROM leases AS lease CROSS JOIN LATERAL unnest(lease.review_ids) AS held (id)
        JOIN reviews AS review ON review.id = held.id AND review.lease_token = lease.token
        JOIN jobs AS job ON job.id = review.job_id AND job.model = :model AND job.lane = ANY (:before)
    ) AS tokens, (
        SELECT sum(worker.tokens_per_second)::float8
        FROM workers AS worker JOIN models AS model ON model.id = worker.model_id
        WHERE model.name = :model AND {LIVE_WORKER}
    ) AS tokens_per_second
)
"""  # noqa: S608  our own text
_AHEAD = text(f"WITH {AHEAD} SELECT tokens, tokens_per_second FROM ahead")  # noqa: S608  our own text


def parameters(queue: ModelLane) -> dict[str, Any]:
    """Return the parameters of AHEAD for a queue."""
    return {"model": queue.model, "before": _LANES_AHEAD[queue.lane]}


@dataclass(slots=True)
class _Locked:
    locked: str


def lock(pipeline: Pipeline, queue: ModelLane) -> None:
    """Keep others from adding to the queue until this transaction ends."""
    pipeline.execute(_LOCK, {"queue": f"{queue.lane} {queue.model}"}, _Locked)


def ahead(connection: Connection, queue: ModelLane) -> Ahead:
    """Return the work ahead of a job that is submitted now."""
    tokens, tokens_per_second = connection.execute(_AHEAD, parameters(queue)).one()
    return Ahead(tokens, tokens_per_second)


def admit(connection: Connection, queue: ModelLane, within: float) -> None:
    """Lock the queue for this transaction, which adds a job to it next.

    Raises:
        LaneFull: the work ahead takes longer than `within` seconds.
    """
    with pipelined(connection) as pipeline:
        lock(pipeline, queue)
    found = ahead(connection, queue)
    if found.seconds > within:
        raise LaneFull(queue, found)
