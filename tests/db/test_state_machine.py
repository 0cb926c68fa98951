"""The invariants of jobs and reviews hold after every step of any sequence of events."""

from typing import Any
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from db import jobs, sweeps
from db.claims import Claim
from db.engine import Engine, transaction
from db.jobs import FINAL
from db.models import JobStatus, Lane, ReviewStatus
from tests.db import steps

LANES = st.sampled_from(list(Lane))
TOKENS = st.integers(1, 20)
COUNTERS = [each.value for each in ReviewStatus]
FINISHED = {ReviewStatus.SUCCEEDED, ReviewStatus.FAILED, ReviewStatus.CANCELLED}

_REAL = "coalesce(sum(copies) FILTER (WHERE review.status = '{0}'), 0) AS real_{0}"
_COUNTED = f"""
SELECT jobs.*, {", ".join(map(_REAL.format, COUNTERS))},
       min(review.index) FILTER (WHERE review.status = 'queued') AS first_queued
FROM jobs JOIN reviews AS review ON review.job_id = jobs.id GROUP BY jobs.id
"""  # noqa: S608  words of our own
_UNLEASED = """
SELECT review.id FROM reviews AS review
LEFT JOIN leases ON leases.token = review.lease_token AND review.id = ANY (leases.review_ids)
WHERE (review.status = 'processing') <> (leases.token IS NOT NULL)
"""


class Store(RuleBasedStateMachine):
    """Callers, two workers and maintenance on one database."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")
    lost = Bundle("lost")

    def __init__(self, engine: Engine, model_id: int) -> None:
        super().__init__()
        self.engine = engine
        self.model_id = model_id
        self.finished: dict[UUID, Any] = {}

    @initialize()
    def empty(self) -> None:
        with transaction(self.engine) as connection:
            connection.execute(text("TRUNCATE jobs, leases CASCADE"))

    @rule(target=jobs, texts=st.lists(st.sampled_from("abcde"), min_size=1, max_size=5), lane=LANES, tokens=TOKENS)
    def submit(self, texts: list[str], lane: Lane, tokens: int) -> UUID:
        return steps.submit(self.engine, texts=texts, lane=lane, tokens=tokens)

    @rule(
        target=claims,
        lane=LANES,
        worker=st.sampled_from("ab"),
        reviews=st.integers(1, 4),
        tokens=st.integers(1, 60),
    )
    def claim(self, lane: Lane, worker: str, reviews: int, tokens: int) -> Any:
        paused = set(steps.rows(self.engine, "SELECT id FROM jobs WHERE status = 'paused'"))
        claimed = steps.claim(self.engine, lane=lane, worker=worker, reviews=reviews, tokens=tokens)
        assert not claimed or paused.isdisjoint((each.job_id,) for each in claimed.reviews)
        return multiple() if claimed is None else claimed

    @rule(claimed=consumes(claims), breaks=st.sets(st.integers(0, 3)), again=st.integers(0, 2))
    def complete_all(self, claimed: Claim, breaks: set[int], again: int) -> None:
        outcomes = [
            steps.broken(review) if place in breaks else steps.judged(review)
            for place, review in enumerate(claimed.reviews)
        ]
        steps.complete(self.engine, claimed.token, self.model_id, outcomes[:again], last=False)
        steps.complete(self.engine, claimed.token, self.model_id, outcomes, last=True)

    @rule(claimed=claims, count=st.integers(0, 3))
    def complete_some(self, claimed: Claim, count: int) -> None:
        outcomes = [steps.judged(review) for review in claimed.reviews[:count]]
        steps.complete(self.engine, claimed.token, self.model_id, outcomes, last=False)

    @rule(target=lost, claimed=consumes(claims))
    def lose(self, claimed: Claim) -> Claim:
        steps.lose(self.engine, claimed.token)
        steps.sweep(self.engine)
        return claimed

    @rule(claimed=lost)
    def complete_what_was_lost(self, claimed: Claim) -> None:
        before = self.everything()
        outcomes = [steps.judged(review) for review in claimed.reviews]
        assert steps.complete(self.engine, claimed.token, self.model_id, outcomes, last=True) == []
        assert self.everything() == before

    @rule(claimed=claims)
    def complete_under_another_token(self, claimed: Claim) -> None:
        before = self.everything()
        outcomes = [steps.judged(review) for review in claimed.reviews]
        assert steps.complete(self.engine, uuid4(), self.model_id, outcomes, last=True) == []
        assert self.everything() == before

    @rule()
    def sweep(self) -> None:
        assert not steps.sweep(self.engine)  # `lose` has given every lost lease back already

    @rule(job=jobs)
    def cancel(self, job: UUID) -> None:
        steps.stop(self.engine, job)

    @rule(job=jobs)
    def pause(self, job: UUID) -> None:
        steps.pause(self.engine, job)

    @rule(job=jobs)
    def resume(self, job: UUID) -> None:
        steps.resume(self.engine, job)

    @rule(job=jobs)
    def retry(self, job: UUID) -> None:
        again = steps.rows(self.engine, "SELECT id FROM reviews WHERE job_id = :job AND status = 'failed'", job=job)
        steps.retry(self.engine, job)
        for row in again:
            self.finished.pop(row.id)

    @rule(job=consumes(jobs))
    def delete(self, job: UUID) -> None:
        gone = steps.rows(self.engine, "SELECT id FROM reviews WHERE job_id = :job", job=job)
        with transaction(self.engine) as connection:
            assert jobs.delete(connection, job)
        for row in gone:
            self.finished.pop(row.id, None)

    @rule(job=jobs)
    def pass_deadline(self, job: UUID) -> None:
        with transaction(self.engine) as connection:
            connection.execute(text("UPDATE jobs SET deadline_at = created_at WHERE id = :job"), {"job": job})
            sweeps.expire_overdue(connection)

    @invariant()
    def sound(self) -> None:
        with transaction(self.engine) as connection:
            all_jobs = connection.execute(text(_COUNTED)).all()
            reviews = connection.execute(text("SELECT * FROM reviews")).all()
            unleased = connection.execute(text(_UNLEASED)).all()
        for job in all_jobs:
            self.counters_equal_the_rows(job)
            self.no_queued_review_is_behind_the_next_index(job)
            self.a_job_is_final_when_nothing_of_it_is_open(job)
        for review in reviews:
            self.a_result_is_whole_or_absent(review)
        self.a_finished_review_never_changes({row.id: row for row in reviews if row.status in FINISHED})
        assert unleased == [], "every review that is processed is in its lease, and no other has a token"

    def counters_equal_the_rows(self, job: Any) -> None:
        assert {name: getattr(job, name) for name in COUNTERS} == {
            name: getattr(job, f"real_{name}") for name in COUNTERS
        }

    def no_queued_review_is_behind_the_next_index(self, job: Any) -> None:
        assert job.first_queued is None or job.first_queued >= job.next_index

    def a_job_is_final_when_nothing_of_it_is_open(self, job: Any) -> None:
        final = job.queued + job.processing == 0
        assert (final, final) == (job.status in FINAL, job.finished_at is not None)
        assert job.status != JobStatus.SUCCEEDED or job.succeeded > 0
        assert job.status != JobStatus.FAILED or (job.succeeded == 0 and job.failed > 0)

    def a_finished_review_never_changes(self, now: dict[UUID, Any]) -> None:
        assert {review_id: now.get(review_id) for review_id in self.finished} == self.finished
        self.finished = now

    def a_result_is_whole_or_absent(self, review: Any) -> None:
        assert (review.label is not None) == (review.status == ReviewStatus.SUCCEEDED)
        assert (review.error_code is not None) == (review.status == ReviewStatus.FAILED)
        assert (review.finished_at is not None) == (review.status in FINISHED)

    def everything(self) -> list[Any]:
        return [
            steps.rows(self.engine, f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608  a table's name
            for table in ("jobs", "reviews", "leases")
        ]

    def teardown(self) -> None:
        """After any sequence of events a single worker completes every job."""
        with transaction(self.engine) as connection:
            connection.execute(text("UPDATE leases SET expires_at = now() - interval '1 s'"))
            sweeps.expire_overdue(connection)  # a job that was retried after its deadline
            waiting = connection.scalars(text("SELECT id FROM jobs")).all()
        for job in waiting:
            steps.resume(self.engine, job)
        while steps.sweep(self.engine):
            pass
        for lane in Lane:
            while claimed := steps.claim(self.engine, lane=lane):
                steps.complete_all(self.engine, claimed, self.model_id)
        assert steps.rows(self.engine, "SELECT id, status FROM jobs WHERE finished_at IS NULL") == []
        assert steps.rows(self.engine, "SELECT token FROM leases") == []


def test_the_invariants_hold_after_any_sequence_of_events(engine: Engine, model_id: int) -> None:
    class ThisStore(Store):
        def __init__(self) -> None:
            super().__init__(engine, model_id)

    run_state_machine_as_test(ThisStore, settings=settings(max_examples=30, stateful_step_count=30, deadline=None))
