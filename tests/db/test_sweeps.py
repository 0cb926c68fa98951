"""The statements of maintenance: expired leases, passed deadlines, retention."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from db import idempotency, jobs, registrations, sweeps
from db.engine import Engine, transaction
from db.jobs import Ended
from db.models import JobStatus, Lane, ReviewStatus
from db.sweeps import Retention
from tests.conftest import wait_until
from tests.db import steps
from tests.db.steps import claim, complete, complete_all, judged, lose, lose_and_sweep, must_claim, submit, sweep

MONTH = timedelta(days=30)
RETENTION = Retention(jobs=MONTH, idempotency_keys=timedelta(days=1))


def forget(engine: Engine) -> None:
    with transaction(engine) as connection:
        sweeps.forget_old(connection, RETENTION)


def change(engine: Engine, statement: str) -> None:
    with transaction(engine) as connection:
        connection.execute(text(statement))


def test_a_lease_that_has_not_expired_is_kept(engine: Engine) -> None:
    submit(engine)
    must_claim(engine)
    assert not sweep(engine)


def test_a_lost_batch_is_queued_again_and_uses_no_attempt(engine: Engine) -> None:
    job = submit(engine, 3)
    lose_and_sweep(engine, must_claim(engine))
    reviews = steps.rows(engine, "SELECT * FROM reviews")
    assert {(each.status, each.attempts, each.suspect, each.lease_token) for each in reviews} == {
        ("queued", 0, True, None)
    }
    assert (steps.one(engine, "jobs", job).queued, steps.one(engine, "jobs", job).next_index) == (3, 0)


def test_a_review_that_is_lost_alone_uses_an_attempt(engine: Engine) -> None:
    submit(engine)
    claimed = must_claim(engine)
    lose_and_sweep(engine, claimed)
    review = steps.one(engine, "reviews", claimed.reviews[0].id)
    assert (review.status, review.attempts) == ("queued", 1)


def test_a_review_that_is_lost_alone_too_often_is_exhausted(engine: Engine) -> None:
    job = submit(engine)
    for _ in range(steps.MAX_ATTEMPTS):
        claimed = must_claim(engine)
        lose_and_sweep(engine, claimed)
    review = steps.one(engine, "reviews", claimed.reviews[0].id)
    assert (review.status, review.attempts, review.error_code) == ("failed", 2, "exhausted")
    assert "2 times" in review.error_detail
    assert steps.one(engine, "jobs", job).status == JobStatus.FAILED
    assert claim(engine) is None


def test_rows_ended_by_a_lost_lease_are_returned_with_lane_and_reason(engine: Engine) -> None:
    job = submit(engine, texts=["twice", "twice"])  # two rows, one review
    told = []
    for _ in range(steps.MAX_ATTEMPTS):
        lose(engine, must_claim(engine).token)
        with transaction(engine) as connection:
            told.append(sweeps.give_back_lost(connection, steps.MAX_ATTEMPTS))
    assert told == [[], [Ended(job, Lane.BULK, 2, "exhausted")]]


def test_the_neighbours_of_an_exhausted_review_succeed(engine: Engine, model_id: int) -> None:
    job = submit(engine, 3)
    culprit = must_claim(engine).reviews[0].id
    change(engine, "UPDATE leases SET expires_at = now() - interval '1 s'")
    while sweep(engine) or steps.one(engine, "jobs", job).queued:
        if claimed := claim(engine):
            alone = [each.id for each in claimed.reviews] == [culprit]
            lose(engine, claimed.token) if alone else complete_all(engine, claimed, model_id)
    ended = steps.one(engine, "jobs", job)
    assert (ended.status, ended.succeeded, ended.failed) == (JobStatus.SUCCEEDED, 2, 1)


def test_results_stored_before_the_loss_are_kept(engine: Engine, model_id: int) -> None:
    submit(engine, 2)
    claimed = must_claim(engine)
    complete(engine, claimed.token, model_id, [judged(claimed.reviews[0])], last=False)
    lose_and_sweep(engine, claimed)
    states = [steps.one(engine, "reviews", each.id).status for each in claimed.reviews]
    assert states == [ReviewStatus.SUCCEEDED, ReviewStatus.QUEUED]


def test_the_last_review_of_a_job_may_end_it_by_being_lost(engine: Engine, model_id: int) -> None:
    job = submit(engine, 2)
    complete_all(engine, must_claim(engine, reviews=1), model_id)
    for _ in range(steps.MAX_ATTEMPTS):
        lose_and_sweep(engine, must_claim(engine))
    ended = steps.one(engine, "jobs", job)
    assert (ended.status, ended.finished_at is not None) == (JobStatus.SUCCEEDED, True)


def test_a_retried_review_has_all_its_attempts_again(engine: Engine) -> None:
    job = submit(engine)
    for _ in range(steps.MAX_ATTEMPTS):
        lose_and_sweep(engine, must_claim(engine))
    steps.retry(engine, job)
    [review] = steps.rows(engine, "SELECT * FROM reviews")
    assert (review.status, review.attempts, review.error_code, review.finished_at) == ("queued", 0, None, None)
    assert (steps.one(engine, "jobs", job).status, steps.one(engine, "jobs", job).finished_at) == ("queued", None)


def test_the_lease_of_a_deleted_job_is_removed(engine: Engine) -> None:
    job = submit(engine)
    claimed = must_claim(engine)
    with transaction(engine) as connection:
        jobs.delete(connection, job)
    lose_and_sweep(engine, claimed)
    assert steps.rows(engine, "SELECT token FROM leases") == []


def test_several_maintenance_processes_give_each_lease_back_once(engine: Engine) -> None:
    submit(engine, 20)
    while claim(engine, reviews=1):
        pass
    change(engine, "UPDATE leases SET expires_at = now() - interval '1 s'")
    with ThreadPoolExecutor(4) as threads:
        swept = list(threads.map(lambda _: sum(iter(lambda: sweep(engine), False)), range(4)))
    assert sum(swept) == 20
    assert {row.attempts for row in steps.rows(engine, "SELECT attempts FROM reviews")} == {1}


def test_maintenance_and_a_worker_lock_jobs_in_the_same_order(engine: Engine) -> None:
    """Jobs are locked in the order of their ids, so maintenance and a worker cannot deadlock."""
    first, second = submit(engine), submit(engine)
    must_claim(engine, reviews=1)
    must_claim(engine, reviews=1)
    # The lease on the second job is the first to be swept.
    change(engine, "UPDATE leases SET expires_at = now() - interval '1 s'")
    on_the_second = (
        "review_ids[1] IN (SELECT id FROM reviews WHERE job_id = (SELECT id FROM jobs ORDER BY id DESC LIMIT 1))"
    )
    change(engine, f"UPDATE leases SET expires_at = now() - interval '2 s' WHERE {on_the_second}")  # noqa: S608
    with ThreadPoolExecutor(1) as threads:
        with transaction(engine) as worker:
            jobs.lock(worker, first)
            swept = threads.submit(lambda: sum(iter(lambda: sweep(engine), False)))
            wait_until(lambda: swept.done() or blocked(engine))
            worker.execute(text("SET LOCAL lock_timeout = '100ms'"))
            assert jobs.lock(worker, second) is not None
        assert swept.result() == 2


def blocked(engine: Engine) -> bool:
    """Return whether a transaction in this database waits for a lock."""
    waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(steps.rows(engine, waits))


def test_an_overdue_job_expires_and_keeps_its_results(engine: Engine, model_id: int) -> None:
    job = submit(engine, 3, deadline=timedelta(minutes=1))
    complete_all(engine, must_claim(engine, reviews=1), model_id)
    must_claim(engine, reviews=1)
    change(engine, "UPDATE jobs SET deadline_at = now() - interval '1 s'")
    with transaction(engine) as connection:
        assert sweeps.expire_overdue(connection) == [Ended(job, Lane.BULK, 2)]
    expired = steps.one(engine, "jobs", job)
    assert (expired.status, expired.succeeded, expired.cancelled) == (JobStatus.EXPIRED, 1, 2)


def test_a_job_that_ended_in_time_does_not_expire(engine: Engine, model_id: int) -> None:
    submit(engine, deadline=timedelta(minutes=1))
    complete_all(engine, must_claim(engine), model_id)
    change(engine, "UPDATE jobs SET deadline_at = now() - interval '1 s'")
    with transaction(engine) as connection:
        assert sweeps.expire_overdue(connection) == []


def test_finished_jobs_are_forgotten_after_their_retention(engine: Engine, model_id: int) -> None:
    old = submit(engine)
    complete_all(engine, must_claim(engine), model_id)
    change(engine, "UPDATE jobs SET finished_at = now() - interval '31 days'")
    recent = submit(engine)
    complete_all(engine, must_claim(engine), model_id)
    forget(engine)
    assert [row.id for row in steps.rows(engine, "SELECT id FROM jobs")] == [recent]
    assert steps.rows(engine, "SELECT id FROM reviews WHERE job_id = :job", job=old) == []


def test_an_unfinished_job_is_never_forgotten(engine: Engine) -> None:
    job = submit(engine)
    change(engine, "UPDATE jobs SET created_at = now() - interval '1 year'")
    forget(engine)
    assert steps.one(engine, "jobs", job).status == JobStatus.QUEUED


@pytest.mark.parametrize(("age", "kept"), [("23 hours", True), ("25 hours", False)])
def test_keys_are_forgotten_after_a_day(engine: Engine, age: str, kept: bool) -> None:
    job = submit(engine)
    with transaction(engine) as connection:
        idempotency.keep(connection, "key", b"sha", job)
    change(engine, f"UPDATE idempotency_keys SET created_at = now() - interval '{age}'")  # noqa: S608
    forget(engine)
    with transaction(engine) as connection:
        assert (idempotency.find(connection, "key") is not None) == kept


def test_workers_lost_hours_ago_are_deleted(engine: Engine, model_id: int) -> None:
    with transaction(engine) as connection:
        registrations.worker_seen(connection, "gone", model_id)
        connection.execute(text("UPDATE workers SET seen_at = now() - interval '2 hours'"))
        registrations.worker_seen(connection, "here", model_id)
    forget(engine)
    assert [row.name for row in steps.rows(engine, "SELECT name FROM workers")] == ["here"]
