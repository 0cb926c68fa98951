"""Store outcomes, count them, and return the jobs that have ended."""

import itertools
import time
from collections.abc import Sequence
from uuid import UUID

import structlog

from db import leases
from db.claims import Claim, Outcome, Stored
from db.engine import DatabaseError, transaction
from db.models import Lane
from monitoring.metrics import CACHE_HITS, QUEUE_SECONDS, RESULT_SECONDS, RESULTS, STAGE_REVIEWS, STEP_TIME
from worker.context import WorkerContext
from worker.predict import Item
from worker.similar import with_similar

STORE_TRIES = 8  # over about 30 s: enough for a restart of PostgreSQL

log = structlog.get_logger()


def store(
    context: WorkerContext, claim: Claim, items: Sequence[Item], outcomes: Sequence[Outcome], *, last: bool
) -> list[UUID]:
    """Store the outcomes of some reviews of a claim; return the jobs that this has ended.

    Raises:
        DatabaseError: the database could not be reached in STORE_TRIES tries.
    """
    outcomes = with_similar(context, items, outcomes)
    with STEP_TIME.labels("store").time():
        stored = _complete(context, claim, outcomes, last=last)
    count(claim.lane, context.classifier.info.name, stored)
    ended = list({each.job_id for each in stored if each.ended_job})
    if stored:
        jobs = list({str(each.job_id) for each in stored})
        log.info("results_stored", lane=claim.lane, reviews=len(stored), jobs=jobs, ended=len(ended))
    return ended


def _complete(context: WorkerContext, claim: Claim, outcomes: Sequence[Outcome], *, last: bool) -> list[Stored]:
    for pause in itertools.count():
        try:
            with transaction(context.engine) as connection:
                return leases.complete(connection, claim.token, context.model_id, outcomes, last=last)
        except DatabaseError as error:
            log.warning("store_failed", error=str(error), reviews=len(outcomes))
            if pause >= STORE_TRIES:
                raise
            time.sleep(pause)
    raise AssertionError  # the loop above has no end


def count(lane: Lane, model: str, stored: Sequence[Stored]) -> None:
    """Count stored rows by status, and the times and stages of classified reviews."""
    for each in stored:
        status = "failed" if each.error_code else "succeeded"
        RESULTS.labels(lane, status, each.error_code or "").inc(each.rows)
        if each.stage:
            RESULT_SECONDS.labels(lane, model).observe(each.seconds)
            STAGE_REVIEWS.labels(model, each.stage).inc()
        if each.queued_seconds is not None:
            QUEUE_SECONDS.labels(lane, model).observe(each.queued_seconds)


def show_zeros(model: str) -> None:
    """Export important counters as 0: Prometheus sees the first failure only as an increase."""
    CACHE_HITS.labels("prediction")
    for lane in Lane:
        RESULTS.labels(lane, "succeeded", "")
        RESULTS.labels(lane, "failed", "exhausted")
        RESULT_SECONDS.labels(lane, model)
        QUEUE_SECONDS.labels(lane, model)
