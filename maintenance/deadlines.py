"""End jobs that are past their deadline."""

from uuid import UUID

from db import sweeps
from db.engine import Engine, transaction
from maintenance.counts import count_ended
from monitoring.metrics import SWEPT


def expire(engine: Engine) -> list[UUID]:
    """End every overdue job; return their ids."""
    with transaction(engine) as connection:
        overdue = sweeps.expire_overdue(connection)
    SWEPT.labels("expired_jobs").inc(len(overdue))
    count_ended(overdue, "expired")
    return [job.job_id for job in overdue]
