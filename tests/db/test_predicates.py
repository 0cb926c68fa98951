"""A waiting review, a live worker and a final state mean the same in every statement."""

from datetime import timedelta

import pytest

from benchmarks.common import http_client
from db import admission, jobs, measures, registrations, sla
from db.engine import Engine, reading
from db.jobs import FINAL
from db.models import JobStatus
from tests.db import steps
from tests.fakes import BULK, MODEL
from verdict.schemas import ENDED


def test_every_statement_counts_the_same_reviews_as_waiting(engine: Engine, model_id: int) -> None:
    steps.submit(engine, 3)
    steps.submit(engine, 5, deadline=timedelta(seconds=-1))
    steps.pause(engine, steps.submit(engine, 7))
    with reading(engine) as connection:
        assert [(each.queue, each.reviews) for each in jobs.backlog(connection)] == [(BULK, 3)]
        assert admission.ahead(connection, BULK).tokens == 3 * steps.TOKENS
        load = measures.measure(connection, None).queues[BULK]
        assert (load.rows, load.tokens) == (3, 3 * steps.TOKENS)
        assert [each.queued for each in sla.queue_depths(connection) if each.lane == BULK.lane] == [3]
        assert jobs.waiting(connection, BULK.lane, MODEL)
    assert len(steps.must_claim(engine).reviews) == 3
    with reading(engine) as connection:
        assert not jobs.waiting(connection, BULK.lane, MODEL)
    assert model_id


@pytest.mark.parametrize(("seconds", "live"), [(29, 1), (31, 0)])
def test_every_statement_counts_the_same_workers_as_live(
    engine: Engine, model_id: int, seconds: int, live: int
) -> None:
    job_id = steps.submit(engine)
    seen = "UPDATE workers SET tokens_per_second = 7, seen_at = now() - :age"
    steps.run(engine, seen, age=timedelta(seconds=seconds))
    with reading(engine) as connection:
        assert registrations.live_workers(connection) == {MODEL: live}
        assert [each.workers for each in registrations.models(connection)] == [live]
        assert measures.measure(connection, None).models[MODEL].workers == live
        assert admission.ahead(connection, BULK).tokens_per_second == (7 if live else None)
        assert sla.unfinished(connection).any_live == bool(live)
        job = jobs.get(connection, job_id)
        assert job
        assert job.without_worker == (not live)
    assert model_id


def test_the_final_states_are_the_same_for_clients() -> None:
    assert FINAL == ENDED == http_client.FINAL
    assert set(JobStatus) - FINAL == {JobStatus.QUEUED, JobStatus.PROCESSING, JobStatus.PAUSED}
