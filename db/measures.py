"""The current load of each queue and model, read in one statement, for /metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db.models import Lane, ModelLane
from db.predicates import CLAIMABLE, LIVE_WORKER

# Models shown: those with a row in `workers` (live or recently lost), the default model, and those with waiting or
# claimed reviews. Claimed reviews are found by their leases: no index finds a job that is claimed completely.
_MEASURE = text(f"""
WITH waiting AS (
    SELECT model, lane, sum(queued) AS rows, sum(tokens_estimate * (queued::float8 / total)) AS tokens,
           extract(epoch FROM now() - min(created_at)) AS oldest
    FROM jobs WHERE {CLAIMABLE} GROUP BY model, lane
), held AS (
    SELECT job.model, job.lane, sum(review.copies) AS rows
    FROM leases AS lease CROSS JOIN LATERAL unnest(lease.review_ids) AS held (id)
    JOIN reviews AS review ON review.id = held.id AND review.lease_token = lease.token
    JOIN jobs AS job ON job.id = review.job_id GROUP BY job.model, job.lane
), live AS (
    SELECT model.name AS model, count(*) FILTER (WHERE {LIVE_WORKER}) AS workers,
           sum(tokens_per_second) FILTER (WHERE {LIVE_WORKER}) AS tokens_per_second
    FROM workers AS worker JOIN models AS model ON model.id = worker.model_id GROUP BY model.name
), shown (model) AS (
    SELECT model FROM live UNION SELECT model FROM waiting UNION SELECT model FROM held
    UNION SELECT CAST(:model AS text) WHERE CAST(:model AS text) IS NOT NULL
)
SELECT shown.model, lane.name AS lane, coalesce(waiting.rows, 0)::float AS rows,
       coalesce(waiting.tokens, 0)::float AS tokens, coalesce(waiting.oldest, 0)::float AS oldest,
       coalesce(held.rows, 0)::float AS in_flight, coalesce(live.workers, 0) AS workers,
       coalesce(live.tokens_per_second, 0)::float AS tokens_per_second
FROM shown CROSS JOIN unnest(CAST(:lanes AS text[])) AS lane (name)
LEFT JOIN waiting ON waiting.model = shown.model AND waiting.lane = lane.name
LEFT JOIN held ON held.model = shown.model AND held.lane = lane.name
LEFT JOIN live ON live.model = shown.model
""")  # noqa: S608  our own text


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """One queue: waiting rows and estimated tokens, age of the oldest waiting job in seconds, rows in flight."""

    rows: float
    tokens: float
    oldest_seconds: float
    in_flight: float


@dataclass(frozen=True, slots=True)
class Serving:
    """The live workers of a model, and their total pace in estimated tokens per second."""

    workers: int
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Measures:
    """Every queue and every model."""

    queues: Mapping[ModelLane, LaneLoad]
    models: Mapping[str, Serving]


def measure(connection: Connection, model: str | None) -> Measures:
    """Measure every queue; `model` is always included."""
    rows = connection.execute(_MEASURE, {"lanes": list(Lane), "model": model}).all()
    return Measures(
        {
            ModelLane(row.model, Lane(row.lane)): LaneLoad(row.rows, row.tokens, row.oldest, row.in_flight)
            for row in rows
        },
        {row.model: Serving(row.workers, row.tokens_per_second) for row in rows},
    )
