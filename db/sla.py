"""Measurements of a window of time, for the SLA.

Ids are UUIDv7, so the jobs and reviews submitted within a window are a range of primary keys, and no index on a
changing column is needed. An hour at 100 requests and 100 reviews a second takes 0.9 s in all (two busy cores).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, text

from db.models import Lane
from db.predicates import CLAIMABLE, LIVE_WORKER, UNFINISHED
from monitoring.sla import P95_MS, Measured, Unfinished

# Reading a month of the log takes longer than a request's limit; it blocks nothing.
_LONG_TIMEOUT = text("SET LOCAL statement_timeout = '20s'")
_SORT_MEMORY = text("SET LOCAL work_mem = '64MB'")

# The calls that count (monitoring.sla.CALLS), without a regular expression: an hour at 100 a second has 360,000 rows.
_REQUESTS = text("""
SELECT count(*) AS requests, count(*) FILTER (WHERE status >= 500) AS failed
FROM request_log WHERE at > now() - CAST(:window AS interval) AND (
    route LIKE '/v1/jobs/%' OR route LIKE '/v1/reviews/%' OR route = '/v1/classify'
    OR route = '/v1/jobs' AND method = 'POST'
)
""")

# Rows of jobs that ended within the window. Cancelled rows of cancelled jobs and unreadable rows of files count neither
# as good nor as bad. `cancelled` rows of an expired job had no result at its deadline.
_ROWS = text("""
SELECT coalesce(sum(succeeded), 0) AS succeeded,
       coalesce(sum(cancelled) FILTER (WHERE status = 'expired'), 0) AS expired,
       coalesce(sum(CASE WHEN failed > 0 THEN (
           SELECT sum(copies) FROM reviews
           WHERE job_id = jobs.id AND status = 'failed' AND error_code = 'exhausted'
       ) END), 0) AS exhausted
FROM jobs WHERE finished_at > now() - CAST(:window AS interval)
""")

# A statement of its own, so that the planner knows the value and estimates the number of rows after it.
_SINCE = text("SELECT uuidv7(- CAST(:window AS interval))")

# A single-row job uses the job's own timestamps (5 times faster), unless it took 5 s or more: then it may have been
# retried by hand, and only the review has the time at which it was queued again. OFFSET 0 keeps the planner from a scan
# of all reviews. `date_part` is twice as fast as `extract`, which returns a numeric.
_LATENCY = text("""
WITH result AS (
    SELECT date_part('epoch', finished_at - created_at) * 1000 AS ms FROM jobs
    WHERE id > :since AND lane = 'interactive' AND status = 'succeeded'
      AND total = 1 AND finished_at - created_at < interval '5 s'
    UNION ALL
    SELECT date_part('epoch', review.finished_at - review.queued_at) * 1000 FROM jobs CROSS JOIN LATERAL (
        SELECT queued_at, finished_at FROM reviews WHERE job_id = jobs.id AND status = 'succeeded' OFFSET 0
    ) AS review
    WHERE jobs.id > :since AND lane = 'interactive' AND (total > 1 OR jobs.finished_at - created_at >= interval '5 s')
)
SELECT count(*) AS reviews, count(*) FILTER (WHERE ms > :slow) AS slow, avg(ms) AS mean,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) AS p95
FROM result
""")

_FEEDBACK = text("""
SELECT count(*) AS given, count(*) FILTER (WHERE agrees) AS agreeing
FROM feedback WHERE created_at > now() - CAST(:window AS interval)
""")


def measure(connection: Connection, window: timedelta) -> Measured:
    """Count the requests, ended rows, results of interactive reviews and feedback of the last `window`.

    Included are requests and feedback received, jobs ended and interactive reviews submitted within the window. Reviews
    without a result are left to `unfinished`: they change every second, while these figures may be cached.
    """
    connection.execute(_LONG_TIMEOUT)
    connection.execute(_SORT_MEMORY)
    parameters = {"window": window}
    request = connection.execute(_REQUESTS, parameters).one()
    row = connection.execute(_ROWS, parameters).one()
    since = connection.execute(_SINCE, parameters).scalar_one()
    latency = connection.execute(_LATENCY, {"since": since, "slow": P95_MS}).one()
    feedback = connection.execute(_FEEDBACK, parameters).one()
    failed = int(row.exhausted + row.expired)
    return Measured(
        requests=request.requests,
        requests_failed=request.failed,
        rows=int(row.succeeded) + failed,
        rows_failed=failed,
        reviews=latency.reviews,
        reviews_slow=latency.slow,
        mean_ms=latency.mean,
        p95_ms=latency.p95,
        feedbacks=feedback.given,
        feedbacks_agreeing=feedback.agreeing,
    )


# Interactive reviews without a result that are older than the latency limit. Paused jobs wait for their caller.
_OVERDUE = f"""
overdue AS (
    SELECT date_part('epoch', now() - review.queued_at) AS seconds FROM jobs CROSS JOIN LATERAL (
        SELECT queued_at FROM reviews WHERE job_id = jobs.id AND status IN ('queued', 'processing') OFFSET 0
    ) AS review
    WHERE {UNFINISHED} AND lane = 'interactive'
      AND review.queued_at < now() - CAST(:slow AS float8) * interval '1 ms'
)"""  # noqa: S608  our own text
_UNFINISHED = text(f"""
WITH {_OVERDUE}, live AS (
    SELECT DISTINCT model.name FROM workers AS worker JOIN models AS model ON model.id = worker.model_id
    WHERE {LIVE_WORKER}
), waiting AS (
    SELECT model, sum(queued + processing) AS rows, min(created_at) AS since, model NOT IN (TABLE live) AS is_stranded
    FROM jobs WHERE {UNFINISHED} GROUP BY model
)
SELECT (SELECT count(*) FROM overdue) AS overdue, (SELECT coalesce(sum(seconds), 0) FROM overdue) AS overdue_seconds,
       coalesce(sum(rows), 0) AS waiting, coalesce(sum(rows) FILTER (WHERE is_stranded), 0) AS stranded,
       coalesce(date_part('epoch', now() - min(since) FILTER (WHERE is_stranded)), 0) AS stranded_seconds,
       coalesce(array_agg(model ORDER BY model) FILTER (WHERE is_stranded), '{{}}') AS stranded_models,
       EXISTS (SELECT FROM live) AS any_live
FROM waiting
""")  # noqa: S608  our own text


def unfinished(connection: Connection) -> Unfinished:
    """Count the reviews that have no result now."""
    row = connection.execute(_UNFINISHED, {"slow": P95_MS}).one()
    return Unfinished(
        overdue=row.overdue,
        overdue_seconds=float(row.overdue_seconds),
        waiting=int(row.waiting),
        stranded=int(row.stranded),
        stranded_seconds=float(row.stranded_seconds),
        stranded_models=tuple(row.stranded_models),
        any_live=row.any_live,
    )


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The rows of a queue that wait or are being predicted, and the age of its oldest waiting job in seconds."""

    model: str
    lane: Lane
    queued: int
    processing: int
    oldest_seconds: float


_QUEUE_DEPTHS = text(f"""
WITH unfinished AS (
    SELECT model, lane, sum(queued) FILTER (WHERE {CLAIMABLE}) AS queued, sum(processing) AS processing,
           date_part('epoch', now() - min(created_at) FILTER (WHERE {CLAIMABLE})) AS oldest
    FROM jobs WHERE {UNFINISHED} GROUP BY model, lane
), shown (model) AS (
    SELECT model FROM unfinished
    UNION SELECT model.name FROM workers AS worker JOIN models AS model ON model.id = worker.model_id
)
SELECT shown.model, lane.name, coalesce(queued, 0) AS queued, coalesce(processing, 0) AS processing,
       coalesce(oldest, 0) AS oldest
FROM shown CROSS JOIN unnest(CAST(:lanes AS text[])) WITH ORDINALITY AS lane (name, place)
LEFT JOIN unfinished ON unfinished.model = shown.model AND unfinished.lane = lane.name
ORDER BY shown.model, lane.place
""")  # noqa: S608  our own text


def queue_depths(connection: Connection) -> Sequence[QueueDepth]:
    """Return the depth of each lane of each model; paused jobs wait for their caller and are not counted.

    Included are models with workers, live or recently lost, and models of unfinished jobs.
    """
    return [
        QueueDepth(row.model, Lane(row.name), int(row.queued), int(row.processing), float(row.oldest))
        for row in connection.execute(_QUEUE_DEPTHS, {"lanes": list(Lane)})
    ]
