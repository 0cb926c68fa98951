"""Claim reviews, and complete them.

Each claim has a lease with a token. A result is stored only while its review is `processing` under that token, so that
of several workers with the same review exactly one stores a result. Every transaction takes its locks in one order:
lease, jobs by id, reviews. All times come from the database's clock.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from math import ceil
from uuid import UUID

from sqlalchemy import Connection, text

from db import prediction_cache
from db.claims import Claim, ClaimLimits, Outcome, Stored, claimed
from db.models import Lane
from db.predicates import CLAIMABLE

# Two statements: the snapshot of the second is taken after the jobs are locked, so it sees the current state of their
# reviews. A single statement could miss a review that was given back meanwhile.
_PICK = text(f"""
SELECT id FROM jobs WHERE lane = :lane AND model = :model AND {CLAIMABLE}
ORDER BY served_at, id LIMIT :reviews FOR UPDATE SKIP LOCKED
""")  # noqa: S608  our own text

# Jobs have equal shares in a claim, least recently served first. A review from a lost batch (`suspect`) is claimed
# alone: if it breaks the worker again, no other review is lost.
_CLAIM = text(f"""
WITH candidate AS (
    SELECT review.*, job.served_at,
           row_number() OVER (PARTITION BY review.job_id ORDER BY review.index) AS turn
    FROM jobs AS job CROSS JOIN LATERAL (
        SELECT id, job_id, index, copies, suspect, tokens_estimate FROM reviews
        WHERE job_id = job.id AND index >= job.next_index AND status = 'queued'
        ORDER BY index LIMIT :share
    ) AS review
    WHERE job.id = ANY (:jobs)
), ranked AS (
    SELECT *, row_number() OVER ranking AS place, sum(tokens_estimate) OVER ranking AS tokens,
           first_value(suspect) OVER ranking AS alone
    FROM candidate WINDOW ranking AS (ORDER BY suspect DESC, turn, served_at, job_id)
), chosen AS MATERIALIZED (
    SELECT id, job_id, index, tokens_estimate, suspect FROM ranked
    WHERE place = 1 OR (NOT alone AND tokens <= :tokens AND place <= :reviews)
), lease AS (
    INSERT INTO leases (worker, review_ids, expires_at)
    SELECT :worker, array_agg(id), now() + :lease FROM chosen HAVING count(*) > 0
    RETURNING token
), claimed AS (
    UPDATE reviews SET status = 'processing', lease_token = lease.token, claimed_at = clock_timestamp()
    FROM chosen, lease WHERE reviews.id = chosen.id
), moved AS (
    UPDATE jobs SET status = 'processing', started_at = coalesce(started_at, clock_timestamp()),
                    pace_began = coalesce(pace_began, clock_timestamp()),
                    served_at = clock_timestamp(), queued = queued - share.n,
                    processing = processing + share.n, next_index = share.next_index
    FROM (
        SELECT candidate.job_id, sum(candidate.copies) FILTER (WHERE chosen.id IS NOT NULL) AS n,
               coalesce(min(candidate.index) FILTER (WHERE chosen.id IS NULL), max(candidate.index) + 1)
                   AS next_index
        FROM candidate LEFT JOIN chosen USING (id) GROUP BY candidate.job_id HAVING count(chosen.id) > 0
    ) AS share
    WHERE jobs.id = share.job_id
)
SELECT lease.token, chosen.id, chosen.job_id, sent.text, job.similar_wanted, chosen.tokens_estimate, chosen.suspect,
       job.traceparent, {prediction_cache.FOUND}
FROM lease CROSS JOIN chosen JOIN job_rows AS sent USING (job_id, index) JOIN jobs AS job ON job.id = chosen.job_id
{prediction_cache.JOIN}
""")  # noqa: S608  our own text


def claim(  # noqa: PLR0913, PLR0917  each is a parameter of the statement
    connection: Connection, lane: Lane, model: str, worker: str, limits: ClaimLimits, fingerprint: bytes | None = None
) -> Claim | None:
    """Claim waiting reviews of a lane; return None if none waits or another worker has locked their jobs.

    With the `fingerprint` of a model, each review comes with that model's cached prediction of its text, if any.
    """
    jobs = connection.scalars(_PICK, {"lane": lane, "model": model, "reviews": limits.reviews}).all()
    if not jobs:
        return None
    parameters = {"jobs": jobs, "worker": worker, **asdict(limits), "fingerprint": fingerprint}
    rows = connection.execute(_CLAIM, {**parameters, "share": ceil(limits.reviews / len(jobs))}).all()
    return Claim(rows[0].token, lane, [claimed(row) for row in rows]) if rows else None


_HOLD = text("SELECT FROM leases WHERE token = :token FOR UPDATE")
_LOCK_JOBS = text("SELECT FROM jobs WHERE id = ANY (:jobs) ORDER BY id FOR UPDATE")
_COMPLETE = text(f"""
WITH outcome AS (
    SELECT * FROM jsonb_to_recordset(CAST(:outcomes AS jsonb)) AS sent (
        review_id uuid, tokens int, truncated bool, waited_ms real, inference_ms real, label smallint,
        probabilities real[], stage text, warnings text[], similar_reviews jsonb, cached boolean, cache_key text,
        attempts smallint, error_code text, error_detail text)
), kept AS ({prediction_cache.KEEP}), written AS (
    UPDATE reviews SET
        status = CASE WHEN outcome.error_code IS NULL THEN 'succeeded' ELSE 'failed' END,
        lease_token = NULL, finished_at = clock_timestamp(), model_id = :model_id, tokens = outcome.tokens,
        truncated = outcome.truncated, label = outcome.label, inference_ms = outcome.inference_ms,
        queued_ms = extract(epoch FROM claimed_at - queued_at) * 1000 + outcome.waited_ms,
        probabilities = outcome.probabilities, stage = outcome.stage, similar_reviews = outcome.similar_reviews,
        cached = outcome.cached, warnings = outcome.warnings,
        attempts = reviews.attempts + outcome.attempts,
        error_code = outcome.error_code, error_detail = outcome.error_detail
    FROM outcome
    WHERE reviews.id = outcome.review_id AND reviews.status = 'processing' AND reviews.lease_token = :token
    RETURNING reviews.job_id, copies, CASE WHEN outcome.error_code IS NULL THEN copies ELSE 0 END AS judged,
              reviews.error_code, reviews.stage, queued_ms, finished_at - queued_at AS took
), share AS (
    SELECT job_id, sum(copies) AS n, sum(judged) AS judged FROM written GROUP BY job_id
), moved AS (
    UPDATE jobs SET
        pace = coalesce(pace * exp(-least(50, extract(epoch FROM clock_timestamp() - paced_at) / 30)), 0) + n / 30.0,
        paced_at = clock_timestamp(),
        processing = processing - n, succeeded = succeeded + judged, failed = failed + n - judged,
        finished_at = CASE WHEN queued = 0 AND processing = n THEN clock_timestamp() END,
        status = CASE WHEN queued > 0 OR processing > n THEN status
                      WHEN succeeded + judged > 0 THEN 'succeeded' ELSE 'failed' END
    FROM share WHERE jobs.id = share.job_id
    RETURNING jobs.id, jobs.finished_at IS NOT NULL AS ended
)
SELECT job_id, copies, error_code, stage, queued_ms / 1000, extract(epoch FROM took)::float, ended
FROM written JOIN moved ON moved.id = written.job_id
""")  # noqa: S608  our own text
_END = text("DELETE FROM leases WHERE token = :token")


def complete(
    connection: Connection, token: UUID, model_id: int, outcomes: Sequence[Outcome], *, last: bool
) -> list[Stored]:
    """Store outcomes of reviews of a lease, and return the stored ones. With `last`, delete the lease.

    Outcomes of reviews that were cancelled, deleted or given to another worker meanwhile are dropped.
    """
    if connection.execute(_HOLD, {"token": token}).one_or_none() is None:
        return []
    connection.execute(_LOCK_JOBS, {"jobs": list({outcome.job_id for outcome in outcomes})})
    written = json.dumps([asdict(outcome) for outcome in outcomes], default=str)
    stored = connection.execute(_COMPLETE, {"outcomes": written, "token": token, "model_id": model_id}).all()
    if last:
        connection.execute(_END, {"token": token})
    return [Stored(*each) for each in stored]
