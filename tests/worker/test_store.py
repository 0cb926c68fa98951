"""The counters of a worker equal the stored rows exactly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from db.engine import Engine, connect, transaction
from db.models import Lane
from local import embedded
from settings import DatabaseSettings
from tests.db import steps
from tests.db.steps import submit
from tests.fakes import POISON, UNREADABLE
from worker.context import WorkerContext
from worker.drain import Drain
from worker.pace import Pace
from worker.store import show_zeros

Run = Callable[[], None]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@contextmanager
def rise(name: str, expected: float, **labels: str) -> Iterator[None]:
    """Check that a metric rises by this much in the block."""
    before = value(name, **labels)
    yield
    assert value(name, **labels) - before == pytest.approx(expected), (name, labels)


def test_rows_are_counted_by_how_they_ended(engine: Engine, drain: Run) -> None:
    submit(engine, texts=["twice", "twice", "once", POISON, POISON, UNREADABLE])
    with (
        rise("verdict_results_total", 3, lane="bulk", status="succeeded", reason=""),
        rise("verdict_results_total", 3, lane="bulk", status="failed", reason="exhausted"),
        rise("verdict_failed_attempts_total", 6),  # three of each culprit
    ):
        drain()


def test_times_and_stages_are_those_of_distinct_reviews(engine: Engine, drain: Run) -> None:
    submit(engine, texts=["twice", "twice", "once", POISON], lane=Lane.INTERACTIVE)
    with (
        rise("verdict_result_seconds_count", 2, lane="interactive", model="default"),
        rise("verdict_stage_reviews_total", 2, model="default", stage="fake"),
        rise("verdict_queue_seconds_count", 2, lane="interactive", model="default"),
        rise("verdict_result_seconds_count", 0, lane="bulk", model="default"),
    ):
        drain()


def test_the_time_to_a_result_is_the_databases(engine: Engine, drain: Run) -> None:
    submit(engine)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE reviews SET queued_at = queued_at - interval '10 s'"))
    before = value("verdict_result_seconds_sum", lane="bulk", model="default")
    queued = value("verdict_queue_seconds_sum", lane="bulk", model="default")
    drain()
    [took] = steps.rows(engine, "SELECT extract(epoch FROM finished_at - queued_at)::float AS seconds FROM reviews")
    seen = value("verdict_result_seconds_sum", lane="bulk", model="default") - before
    assert seen == pytest.approx(took.seconds)
    assert 10 <= value("verdict_queue_seconds_sum", lane="bulk", model="default") - queued <= seen


def test_a_result_that_was_not_stored_is_not_counted(engine: Engine, context: WorkerContext) -> None:
    job = submit(engine)
    claimed = steps.must_claim(engine)
    steps.stop(engine, job)
    with rise("verdict_results_total", 0, lane="bulk", status="succeeded", reason=""):
        assert steps.complete_all(engine, claimed, context.model_id) == []


def test_each_step_and_each_forward_pass_is_timed(engine: Engine, drain: Run) -> None:
    submit(engine, 20)
    with (
        rise("verdict_step_seconds_count", 1, step="claim"),
        rise("verdict_step_seconds_count", 1, step="tokenise"),
        rise("verdict_step_seconds_count", 1, step="predict"),
        rise("verdict_step_seconds_count", 1, step="store"),
        rise("verdict_batch_reviews_sum", 20),
        rise("verdict_batch_fill_ratio_sum", 1),  # all have the same length
    ):
        drain()


def test_counters_start_at_zero() -> None:
    show_zeros("never-served")
    assert REGISTRY.get_sample_value("verdict_result_seconds_count", {"lane": "bulk", "model": "never-served"}) == 0


def workers(engine: Engine) -> dict[str, float | None]:
    return {row.name: row.tokens_per_second for row in steps.rows(engine, "SELECT * FROM workers")}


def test_a_worker_stores_its_pace(engine: Engine, context: WorkerContext) -> None:
    context.pace = Pace(1234.5)
    Drain(context).run()
    assert workers(engine) == {"default": 1234.5}


def test_a_worker_without_a_pace_stores_none(engine: Engine, drain: Run) -> None:
    drain()
    assert workers(engine) == {"default": None}


def test_a_worker_that_ends_is_deregistered_at_once(engine: Engine, context: WorkerContext) -> None:
    Drain(context).run()
    context.deregister()
    assert workers(engine) == {}


def test_a_worker_ends_without_a_database_too(context: WorkerContext) -> None:
    gone = DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing")
    context.engine = connect(gone, "test")
    context.deregister()


def test_a_job_ends_with_its_last_stored_result(engine: Engine, model_id: int) -> None:
    job: UUID = submit(engine, 2)
    claimed = steps.must_claim(engine)
    assert [each.tokens_estimate for each in claimed.reviews] == [steps.TOKENS] * 2
    first, second = [steps.judged(each) for each in claimed.reviews]
    assert steps.complete(engine, claimed.token, model_id, [first], last=False) == []
    assert steps.complete(engine, claimed.token, model_id, [second], last=True) == [job]
