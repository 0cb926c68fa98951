"""Claim, extend, complete: each review is claimed once, and one result is stored."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from db import heartbeats, jobs
from db.claims import Claim
from db.engine import Engine, transaction
from db.models import Lane, ReviewStatus
from tests.db import steps
from tests.db.steps import TOKENS, claim, complete, complete_all, judged, must_claim, submit
from tests.fakes import BULK, INTERACTIVE


def by_job(claimed: Claim) -> dict[UUID, int]:
    """Return the number of reviews of each job in a claim."""
    found: dict[UUID, int] = {}
    for review in claimed.reviews:
        found[review.job_id] = found.get(review.job_id, 0) + 1
    return found


def seconds_left(engine: Engine, token: UUID) -> float:
    [row] = steps.rows(
        engine, "SELECT extract(epoch FROM expires_at - now()) AS left FROM leases WHERE token = :token", token=token
    )
    return float(row.left)


def test_an_empty_lane_gives_no_claim_and_no_lease(engine: Engine) -> None:
    assert claim(engine) is None
    assert steps.rows(engine, "SELECT token FROM leases") == []


def test_a_claim_brings_the_texts_of_its_reviews(engine: Engine) -> None:
    job = submit(engine, 2)
    assert {(each.job_id, each.text) for each in must_claim(engine).reviews} == {(job, "review 0"), (job, "review 1")}


def test_two_jobs_share_a_claim(engine: Engine) -> None:
    first, second = submit(engine, 100), submit(engine, 100)
    assert by_job(must_claim(engine, reviews=10)) == {first: 5, second: 5}


def test_a_small_job_does_not_wait_behind_a_large_one(engine: Engine) -> None:
    submit(engine, 400)
    must_claim(engine, reviews=10)
    small = submit(engine, 1)
    assert small in by_job(must_claim(engine, reviews=10))


def test_the_job_that_was_served_least_recently_is_first(engine: Engine) -> None:
    first, second = submit(engine, 5), submit(engine, 5)
    assert [by_job(must_claim(engine, reviews=1)) for _ in range(4)] == [{first: 1}, {second: 1}] * 2


def test_a_claim_takes_no_more_than_its_tokens(engine: Engine) -> None:
    submit(engine, 5)
    assert len(must_claim(engine, tokens=3 * TOKENS + 1).reviews) == 3


def test_a_review_over_the_budget_is_claimed_alone(engine: Engine) -> None:
    submit(engine, 2, tokens=1000)
    assert len(must_claim(engine, tokens=10).reviews) == 1


def test_a_claim_takes_no_more_than_its_reviews(engine: Engine) -> None:
    submit(engine, 5)
    assert len(must_claim(engine, reviews=3).reviews) == 3


def test_reviews_are_claimed_in_the_order_sent(engine: Engine) -> None:
    submit(engine, 6)
    claims = [must_claim(engine, reviews=2) for _ in range(3)]
    assert [{each.text for each in claimed.reviews} for claimed in claims] == [
        {f"review {number}", f"review {number + 1}"} for number in (0, 2, 4)
    ]


@pytest.mark.parametrize(
    "how", [{"lane": Lane.INTERACTIVE}, {"model": "other"}, {"deadline": timedelta(seconds=-1)}], ids=str
)
def test_other_lanes_models_and_overdue_jobs_are_not_claimed(engine: Engine, how: dict[str, Any]) -> None:
    submit(engine, **how)
    assert claim(engine) is None


def test_a_job_whose_deadline_is_ahead_is_claimed(engine: Engine) -> None:
    submit(engine, deadline=timedelta(minutes=1))
    assert claim(engine) is not None


def test_no_review_is_claimed_twice(engine: Engine) -> None:
    submit(engine, 3)
    must_claim(engine)
    assert claim(engine) is None


def test_a_claim_passes_over_a_job_that_another_worker_holds(engine: Engine) -> None:
    first, second = submit(engine), submit(engine)
    with transaction(engine) as other:
        assert jobs.lock(other, first) is not None
        assert by_job(must_claim(engine)) == {second: 1}
        assert claim(engine) is None
    assert by_job(must_claim(engine)) == {first: 1}


def test_many_workers_at_once_claim_each_review_once(engine: Engine) -> None:
    for _ in range(8):
        submit(engine, 10)

    def work(_: int) -> list[UUID]:
        found = []
        while any(row.queued for row in steps.rows(engine, "SELECT queued FROM jobs")):
            claimed = claim(engine, reviews=3)
            found += [review.id for review in claimed.reviews] if claimed else []
        return found

    with ThreadPoolExecutor(6) as threads:
        ids = [review for found in threads.map(work, range(6)) for review in found]
    assert (len(ids), len(set(ids))) == (80, 80)


def test_a_suspect_is_claimed_alone_and_first(engine: Engine) -> None:
    submit(engine, 3)
    steps.lose_and_sweep(engine, must_claim(engine, reviews=2))
    assert [len(must_claim(engine).reviews) for _ in range(3)] == [1, 1, 1]
    assert claim(engine) is None


def test_a_result_is_stored_as_it_was_given(engine: Engine, model_id: int) -> None:
    job = submit(engine)
    claimed = must_claim(engine)
    assert complete_all(engine, claimed, model_id) == [job]
    review = steps.one(engine, "reviews", claimed.reviews[0].id)
    assert (review.status, review.model_id, review.label, review.probabilities) == (
        "succeeded",
        model_id,
        1,
        [0.25, 0.75],
    )
    assert (review.tokens, review.truncated, review.inference_ms, review.stage) == (12, False, 1.5, "fake")
    assert review.queued_at <= review.claimed_at <= review.finished_at
    assert steps.rows(engine, "SELECT token FROM leases") == []


def test_a_job_ends_with_its_last_review(engine: Engine, model_id: int) -> None:
    job = submit(engine, 2)
    claimed = must_claim(engine)
    states = []
    for review, last in zip(claimed.reviews, [False, True], strict=True):
        complete(engine, claimed.token, model_id, [judged(review)], last=last)
        states.append(steps.one(engine, "jobs", job).status)
    assert states == ["processing", "succeeded"]


def test_a_job_without_a_single_result_has_failed(engine: Engine, model_id: int) -> None:
    job = submit(engine, 2)
    claimed = must_claim(engine)
    complete(engine, claimed.token, model_id, [steps.broken(each) for each in claimed.reviews], last=True)
    assert steps.one(engine, "jobs", job).status == "failed"


def test_a_worker_that_lost_its_lease_stores_nothing(engine: Engine, model_id: int) -> None:
    submit(engine)
    zombie = must_claim(engine, worker="zombie")
    steps.lose_and_sweep(engine, zombie)
    heir = must_claim(engine, worker="heir")
    assert complete_all(engine, zombie, model_id) == []
    assert steps.one(engine, "reviews", heir.reviews[0].id).lease_token == heir.token


def test_of_two_workers_with_one_review_exactly_one_stores_its_result(engine: Engine, model_id: int) -> None:
    job = submit(engine)
    zombie = must_claim(engine)
    steps.lose_and_sweep(engine, zombie)
    heir = must_claim(engine)
    with ThreadPoolExecutor(2) as threads:
        moved = list(threads.map(lambda claimed: complete_all(engine, claimed, model_id), [zombie, heir]))
    assert moved == [[], [job]]


def test_the_result_of_a_cancelled_review_is_refused(engine: Engine, model_id: int) -> None:
    job = submit(engine)
    claimed = must_claim(engine)
    steps.stop(engine, job)
    assert complete_all(engine, claimed, model_id) == []
    assert steps.one(engine, "reviews", claimed.reviews[0].id).status == ReviewStatus.CANCELLED


def test_the_result_of_a_deleted_job_is_no_error(engine: Engine, model_id: int) -> None:
    gone, kept = submit(engine), submit(engine)
    claimed = must_claim(engine)
    with transaction(engine) as connection:
        jobs.delete(connection, gone)
    assert complete_all(engine, claimed, model_id) == [kept]


def test_a_deleted_job_leaves_no_row_behind(engine: Engine) -> None:
    job = submit(engine, 3)
    with transaction(engine) as connection:
        jobs.delete(connection, job)
    assert steps.rows(engine, "SELECT id FROM reviews UNION ALL SELECT review_id FROM job_rows") == []


def test_a_heartbeat_extends_the_lease(engine: Engine) -> None:
    submit(engine)
    token = must_claim(engine).token
    with transaction(engine) as connection:
        heartbeats.extend(connection, [token], lease=timedelta(hours=1), cap=timedelta(hours=2))
    assert seconds_left(engine, token) == pytest.approx(3600, abs=60)


def test_no_heartbeat_extends_a_lease_beyond_its_cap(engine: Engine) -> None:
    submit(engine)
    token = must_claim(engine).token
    with transaction(engine) as connection:
        heartbeats.extend(connection, [token], lease=timedelta(hours=1), cap=timedelta(seconds=90))
    assert seconds_left(engine, token) <= 90


def test_no_heartbeat_revives_an_expired_lease(engine: Engine) -> None:
    submit(engine)
    token = must_claim(engine).token
    steps.lose(engine, token)
    with transaction(engine) as connection:
        heartbeats.extend(connection, [token, uuid4()], lease=timedelta(hours=1), cap=timedelta(hours=2))
    assert seconds_left(engine, token) < 0


def test_most_state_changes_of_reviews_are_hot(engine: Engine, model_id: int) -> None:
    submit(engine, 200)
    while claimed := claim(engine, reviews=64):
        complete_all(engine, claimed, model_id)
    engine.dispose()  # a backend reports its statistics when it ends
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        [updated, hot] = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'reviews'"
        ).fetchone() or (0, 0)
    assert updated == 400
    assert hot >= 0.8 * updated


def test_waiting_tells_whether_a_claim_could_succeed(engine: Engine) -> None:
    submit(engine)
    with transaction(engine) as connection:
        assert jobs.waiting(connection, Lane.BULK, "default")
        assert not jobs.waiting(connection, Lane.INTERACTIVE, "default")
    must_claim(engine)
    with transaction(engine) as connection:
        assert not jobs.waiting(connection, Lane.BULK, "default")


def test_the_backlog_counts_the_waiting_reviews_of_each_lane(engine: Engine) -> None:
    submit(engine, 5)
    submit(engine, 2, lane=Lane.INTERACTIVE)
    must_claim(engine, reviews=1)
    with transaction(engine) as connection:
        found = {each.queue: each.reviews for each in jobs.backlog(connection)}
    assert found == {BULK: 4, INTERACTIVE: 2}
