"""What stands in the store at this moment, in one statement: for /metrics. Called by api.gauges."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, text

from db.models import Lane

# What is being judged is found by its lease: a job of which all is claimed is in no index.
_MEASURE = text("""
SELECT lane.name, coalesce(waiting.rows, 0)::float AS rows, coalesce(waiting.tokens, 0)::float AS tokens,
       coalesce(waiting.oldest, 0)::float AS oldest, coalesce(held.rows, 0)::float AS in_flight,
       live.workers, live.tokens_per_second
FROM unnest(CAST(:lanes AS text[])) AS lane (name)
LEFT JOIN (
    SELECT lane, sum(queued) AS rows, sum(tokens_estimate * (queued::float8 / total)) AS tokens,
           extract(epoch FROM now() - min(created_at)) AS oldest
    FROM jobs WHERE queued > 0 AND status <> 'paused' GROUP BY lane
) AS waiting ON waiting.lane = lane.name
LEFT JOIN (
    SELECT job.lane, sum(review.copies) AS rows
    FROM leases AS lease CROSS JOIN LATERAL unnest(lease.review_ids) AS held (id)
    JOIN reviews AS review ON review.id = held.id AND review.lease_token = lease.token
    JOIN jobs AS job ON job.id = review.job_id GROUP BY job.lane
) AS held ON held.lane = lane.name
CROSS JOIN (
    SELECT count(*) AS workers, coalesce(sum(tokens_per_second), 0)::float AS tokens_per_second
    FROM workers WHERE seen_at > now() - :fresh
) AS live
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """One lane: rows and estimated tokens that wait, the age of the oldest such job in seconds, rows being judged."""

    rows: float
    tokens: float
    oldest_seconds: float
    in_flight: float


@dataclass(frozen=True, slots=True)
class Measures:
    """Every lane, how many workers are live, and what they judge in a second together."""

    lanes: Mapping[Lane, Standing]
    workers: int
    tokens_per_second: float


def measure(connection: Connection, fresh: timedelta) -> Measures:
    """Look once; workers that were seen within `fresh` are live."""
    rows = connection.execute(_MEASURE, {"lanes": list(Lane), "fresh": fresh}).all()
    lanes = {Lane(row.name): Standing(row.rows, row.tokens, row.oldest, row.in_flight) for row in rows}
    return Measures(lanes, rows[0].workers, rows[0].tokens_per_second)
