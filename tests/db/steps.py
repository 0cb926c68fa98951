"""The steps of a review from submission to result, each in a transaction of its own."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from db import jobs, leases, submissions, sweeps
from db.claims import Claim, ClaimedReview, ClaimLimits, Outcome, Stored
from db.engine import Engine, transaction
from db.models import JobStatus, Lane
from db.submissions import NewJob, NewReview

MAX_ATTEMPTS = 2
LEASE = timedelta(seconds=60)
TOKENS = 10  # of each review


def submit(
    engine: Engine,
    reviews: int = 1,
    *,
    lane: Lane = Lane.BULK,
    tokens: int = TOKENS,
    model: str = "default",
    texts: Sequence[str] = (),
    deadline: timedelta | None = None,
) -> UUID:
    """Add a job with `reviews` reviews, or with these texts; return its id."""
    chosen = texts or [f"review {number}" for number in range(reviews)]
    sent = [NewReview(text, f"id-{place}", tokens) for place, text in enumerate(chosen)]
    with transaction(engine) as connection:
        return submissions.add(connection, NewJob(lane, {}, deadline, sent), model)


def claim(
    engine: Engine, *, lane: Lane = Lane.BULK, worker: str = "a", reviews: int = 64, tokens: int = 8192
) -> Claim | None:
    """Claim as a worker does."""
    with transaction(engine) as connection:
        return leases.claim(connection, lane, "default", worker, ClaimLimits(reviews, tokens, LEASE))


def must_claim(engine: Engine, **how: Any) -> Claim:
    """Claim reviews, and fail if none wait."""
    claimed = claim(engine, **how)
    assert claimed is not None
    return claimed


def judged(review: ClaimedReview) -> Outcome:
    """Return a prediction as outcome."""
    return Outcome(
        review.id,
        review.job_id,
        tokens=12,
        truncated=False,
        waited_ms=0.5,
        inference_ms=1.5,
        label=1,
        probabilities=[0.25, 0.75],
        stage="fake",
    )


def broken(review: ClaimedReview) -> Outcome:
    """Return the outcome of a review that failed alone."""
    return Outcome(review.id, review.job_id, attempts=MAX_ATTEMPTS, error_code="exhausted", error_detail="it broke")


def complete(engine: Engine, token: UUID, model_id: int, outcomes: Sequence[Outcome], *, last: bool) -> list[UUID]:
    """Complete some reviews of a claim; return the jobs that this ended."""
    with transaction(engine) as connection:
        return ended(leases.complete(connection, token, model_id, outcomes, last=last))


def ended(stored: Sequence[Stored]) -> list[UUID]:
    """Return the jobs that stored results have ended."""
    return list({each.job_id for each in stored if each.ended_job})


def complete_all(engine: Engine, claimed: Claim, model_id: int) -> list[UUID]:
    """Complete a claim with a prediction for each review; return the jobs that this ended."""
    return complete(engine, claimed.token, model_id, [judged(each) for each in claimed.reviews], last=True)


def lose(engine: Engine, token: UUID) -> None:
    """Let a lease expire, as if its worker had sent no heartbeat."""
    with transaction(engine) as connection:
        connection.execute(
            text("UPDATE leases SET expires_at = now() - interval '1 s' WHERE token = :token"), {"token": token}
        )


def sweep(engine: Engine) -> bool:
    """Give back one expired lease; return whether there was one."""
    with transaction(engine) as connection:
        return sweeps.give_back_lost(connection, MAX_ATTEMPTS) is not None


def inherit(engine: Engine, worker: str) -> Claim:
    """Give back an expired lease and claim its reviews in one transaction."""
    with transaction(engine) as connection:
        assert sweeps.give_back_lost(connection, MAX_ATTEMPTS) is not None
        claimed = leases.claim(connection, Lane.BULK, "default", worker, ClaimLimits(64, 8192, LEASE))
    assert claimed is not None
    return claimed


def lose_and_sweep(engine: Engine, claimed: Claim) -> None:
    """Let a lease expire, and give its reviews back."""
    lose(engine, claimed.token)
    assert sweep(engine)


def stop(engine: Engine, job_id: UUID) -> None:
    """Cancel a job if it runs."""
    with transaction(engine) as connection:
        job = jobs.lock(connection, job_id)
        if job and job.status not in jobs.FINAL:
            jobs.stop(connection, job, JobStatus.CANCELLED)


def pause(engine: Engine, job_id: UUID) -> None:
    """Pause a job if it runs."""
    with transaction(engine) as connection:
        job = jobs.lock(connection, job_id)
        if job and job.status not in jobs.FINAL:
            jobs.pause(connection, job)


def resume(engine: Engine, job_id: UUID) -> None:
    """Let a paused job go on."""
    with transaction(engine) as connection:
        job = jobs.lock(connection, job_id)
        if job:
            jobs.resume(connection, job)


def retry(engine: Engine, job_id: UUID) -> None:
    """Retry the failed reviews of a job, if the API would allow it."""
    with transaction(engine) as connection:
        job = jobs.lock(connection, job_id)
        if job and job.status not in {JobStatus.CANCELLED, JobStatus.EXPIRED}:
            jobs.retry(connection, job)


def rows(engine: Engine, statement: str, **parameters: Any) -> list[Any]:
    """Return the rows of a query."""
    with transaction(engine) as connection:
        return list(connection.execute(text(statement), parameters))


def one(engine: Engine, table: str, row_id: UUID) -> Any:
    """Return one row of `jobs` or `reviews`."""
    [row] = rows(engine, f"SELECT * FROM {table} WHERE id = :id", id=row_id)  # noqa: S608  a table's name
    return row


def run(engine: Engine, statement: str, **parameters: Any) -> None:
    """Execute a statement."""
    with transaction(engine) as connection:
        connection.execute(text(statement), parameters)
