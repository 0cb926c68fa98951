"""What the store knows about a window of time, for the SLA. Called by api.routes.sla.

Ids are UUIDv7, so jobs and reviews submitted within a window are a range of their keys, and no index holds a column
that changes. An hour at 100 requests and 100 reviews a second takes 0.9 s in all (two cores with other work to do).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, text

from db.models import Lane
from monitoring.sla import P95_MS, Measured, Unfinished

# Requests wait for no lock here, but a month of them takes longer than a request may.
_LONG = text("SET LOCAL statement_timeout = '20s'")
_SORT_MEMORY = text("SET LOCAL work_mem = '64MB'")

# The calls that count (monitoring.sla.CALLS), without a regular expression: an hour at 100 a second has 360,000 rows.
_REQUESTS = text("""
SELECT count(*) AS requests, count(*) FILTER (WHERE status >= 500) AS failed
FROM request_log WHERE at > now() - CAST(:window AS interval) AND (
    route LIKE '/v1/jobs/%' OR route LIKE '/v1/reviews/%' OR route = '/v1/classify'
    OR route = '/v1/jobs' AND method = 'POST'
)
""")

# Rows of jobs that ended within the window. What a cancelled job left undone and what a file held that could not be
# read count neither as good nor as bad; `cancelled` rows of an expired job are those that its deadline cut off.
_ROWS = text("""
SELECT coalesce(sum(succeeded), 0) AS succeeded,
       coalesce(sum(cancelled) FILTER (WHERE status = 'expired'), 0) AS expired,
       coalesce(sum(CASE WHEN failed > 0 THEN (
           SELECT sum(copies) FROM reviews
           WHERE job_id = jobs.id AND status = 'failed' AND error_code = 'exhausted'
       ) END), 0) AS exhausted
FROM jobs WHERE finished_at > now() - CAST(:window AS interval)
""")

# Asked for by itself, so that the planner sees how much of the table lies behind it.
_SINCE = text("SELECT uuidv7(- CAST(:window AS interval))")

# Of a job of one row the job itself says all, in a fifth of the time; but after a retry by hand, which nobody does
# within 5 s, only the review knows when it was queued. OFFSET 0: never a scan of all reviews, whatever the planner
# thinks. `date_part`, since `extract` makes a numeric: twice as slow.
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
SELECT count(*) AS told, count(*) FILTER (WHERE agrees) AS agreeing
FROM feedback WHERE created_at > now() - CAST(:window AS interval)
""")


def measure(connection: Connection, window: timedelta) -> Measured:
    """Count what happened in the last `window`: requests, ended rows, results of interactive reviews, feedback.

    Requests and feedback that came, jobs that ended and interactive reviews that were submitted within it. What has no
    result yet is counted by `unfinished`: it changes by the second, and these figures may be kept for a while.
    """
    connection.execute(_LONG)
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
        feedbacks=feedback.told,
        feedbacks_agreeing=feedback.agreeing,
    )


# Interactive reviews without a result that are older than a result may be. A paused job waits for its caller.
_OVERDUE = """
overdue AS (
    SELECT date_part('epoch', now() - review.queued_at) AS seconds FROM jobs CROSS JOIN LATERAL (
        SELECT queued_at FROM reviews WHERE job_id = jobs.id AND status IN ('queued', 'processing') OFFSET 0
    ) AS review
    WHERE jobs.status IN ('queued', 'processing') AND lane = 'interactive'
      AND review.queued_at < now() - CAST(:slow AS float8) * interval '1 ms'
)"""
_UNFINISHED = text(f"""
WITH {_OVERDUE}, live AS (
    SELECT DISTINCT model.name FROM workers JOIN models AS model ON model.id = workers.model_id
    WHERE workers.seen_at > now() - CAST(:fresh AS interval)
), waiting AS (
    SELECT model, sum(queued + processing) AS rows, min(created_at) AS since, model NOT IN (TABLE live) AS is_stranded
    FROM jobs WHERE status IN ('queued', 'processing') GROUP BY model
)
SELECT (SELECT count(*) FROM overdue) AS overdue, (SELECT coalesce(sum(seconds), 0) FROM overdue) AS overdue_seconds,
       coalesce(sum(rows), 0) AS waiting, coalesce(sum(rows) FILTER (WHERE is_stranded), 0) AS stranded,
       coalesce(date_part('epoch', now() - min(since) FILTER (WHERE is_stranded)), 0) AS stranded_seconds,
       coalesce(array_agg(model ORDER BY model) FILTER (WHERE is_stranded), '{{}}') AS stranded_models,
       EXISTS (SELECT FROM live) AS any_live
FROM waiting
""")  # noqa: S608  our own text


def unfinished(connection: Connection, fresh: timedelta) -> Unfinished:
    """Look at what has no result now; workers that were seen within `fresh` are live."""
    row = connection.execute(_UNFINISHED, {"fresh": fresh, "slow": P95_MS}).one()
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
class Standing:
    """What stands in a queue now: rows that wait and that are being judged, and the age of the oldest waiting job."""

    model: str
    lane: Lane
    queued: int
    processing: int
    oldest_seconds: float


_STANDING = text("""
WITH unfinished AS (
    SELECT model, lane, sum(queued) AS queued, sum(processing) AS processing,
           date_part('epoch', now() - min(created_at) FILTER (WHERE queued > 0)) AS oldest
    FROM jobs WHERE finished_at IS NULL AND status IN ('queued', 'processing') GROUP BY model, lane
), shown (model) AS (
    SELECT model FROM unfinished
    UNION SELECT model.name FROM workers AS worker JOIN models AS model ON model.id = worker.model_id
)
SELECT shown.model, lane.name, coalesce(queued, 0) AS queued, coalesce(processing, 0) AS processing,
       coalesce(oldest, 0) AS oldest
FROM shown CROSS JOIN unnest(CAST(:lanes AS text[])) WITH ORDINALITY AS lane (name, place)
LEFT JOIN unfinished ON unfinished.model = shown.model AND unfinished.lane = lane.name
ORDER BY shown.model, lane.place
""")


def standing(connection: Connection) -> Sequence[Standing]:
    """Each lane of each model as it is now; paused jobs wait for their caller, and are not counted.

    The models are those with workers, live or lost lately, and those that unfinished jobs are for.
    """
    return [
        Standing(row.model, Lane(row.name), int(row.queued), int(row.processing), float(row.oldest))
        for row in connection.execute(_STANDING, {"lanes": list(Lane)})
    ]
