"""One round of maintenance, with a real PostgreSQL and a real Valkey."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from prometheus_client import REGISTRY

from broker.messages import queue_name
from broker.notifier import Notifier
from broker.wakeups import Waker
from db import request_log
from db.engine import DatabaseBusy, DatabaseUnavailable, Engine, connect, transaction
from db.models import Lane, ModelLane
from local import embedded
from maintenance import main as maintenance
from maintenance.log_partitions import DAYS_AHEAD, keep_days
from maintenance.retention import forget
from maintenance.sweep import Sweeper
from settings import DatabaseSettings, MaintenanceSettings, QueueSettings
from tests.conftest import register_fake
from tests.db import steps
from tests.fakes import BULK, MODEL
from worker import main as worker

SETTINGS = MaintenanceSettings(max_attempts=2)
Sweep = Callable[[Engine], set[ModelLane]]


@pytest.fixture
def notifier(queue: QueueSettings) -> Iterator[Notifier]:
    notifier = Notifier(queue)
    yield notifier
    notifier.close()
    notifier.run()


@pytest.fixture
def sweep(queue: QueueSettings, notifier: Notifier) -> Sweep:
    """A function that runs one round without canaries, and returns the queues that it woke."""

    def once(engine: Engine) -> set[ModelLane]:
        with Waker(queue) as waker:
            sweeper = Sweeper(engine, SETTINGS, waker, notifier)
            sweeper.wake_ups.canary_at = float("inf")
            sweeper.sweep()
        return woken(queue)

    return once


def woken(queue: QueueSettings) -> set[ModelLane]:
    queues = [ModelLane(model, lane) for model in (MODEL, "other") for lane in Lane]
    with redis.Redis.from_url(queue.redis_url) as client:
        return {each for each in queues if client.llen(queue_name(each))}


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"verdict_{name}_total", labels) or 0


def test_only_queues_in_which_reviews_wait_are_woken(engine: Engine, sweep: Sweep) -> None:
    steps.submit(engine, lane=Lane.BULK)
    steps.submit(engine, lane=Lane.INTERACTIVE, model="other")
    assert sweep(engine) == {BULK, ModelLane("other", Lane.INTERACTIVE)}


def test_no_queue_is_woken_when_nothing_waits(engine: Engine, sweep: Sweep) -> None:
    steps.submit(engine)
    steps.must_claim(engine)
    assert sweep(engine) == set()


def test_every_lane_of_every_loaded_model_is_woken_regularly(
    engine: Engine, queue: QueueSettings, notifier: Notifier
) -> None:
    with transaction(engine) as connection:
        register_fake(connection)
        register_fake(connection, "other")
    with Waker(queue) as waker:
        sweeper = Sweeper(engine, SETTINGS, waker, notifier)
        sweeper.sweep()
    assert woken(queue) == {ModelLane(model, lane) for model in (MODEL, "other") for lane in Lane}
    with redis.Redis.from_url(queue.redis_url) as client:
        client.flushall()
    with Waker(queue) as waker:
        sweeper.wake_ups._waker = waker
        sweeper.sweep()  # the next canary is not due yet
    assert woken(queue) == set()


def test_every_lost_lease_is_given_back_and_its_queue_woken_in_the_same_round(engine: Engine, sweep: Sweep) -> None:
    job = steps.submit(engine, 3)
    for _ in range(3):
        steps.lose(engine, steps.must_claim(engine, reviews=1).token)
    assert sweep(engine) == {BULK}
    assert steps.one(engine, "jobs", job).queued == 3


def test_an_overdue_job_expires_and_its_queue_is_not_woken(engine: Engine, sweep: Sweep) -> None:
    job = steps.submit(engine, deadline=timedelta(seconds=-1))
    assert sweep(engine) == set()
    assert steps.one(engine, "jobs", job).status == "expired"


def test_waiting_requests_are_notified_of_an_overdue_job(engine: Engine, sweep: Sweep, notifier: Notifier) -> None:
    job = steps.submit(engine, deadline=timedelta(seconds=-1))
    sweep(engine)
    assert str(job).encode() in (notifier._messages.get_nowait() or b"")


def test_old_jobs_are_forgotten(engine: Engine, model_id: int) -> None:
    steps.submit(engine)
    steps.complete_all(engine, steps.must_claim(engine), model_id)
    steps.rows(engine, "UPDATE jobs SET finished_at = now() - interval '31 days' RETURNING id")
    forget(engine, SETTINGS)
    assert steps.rows(engine, "SELECT id FROM jobs") == []


def found() -> dict[str, float]:
    """Return the counters of maintenance."""
    return {
        "expired": count("results", lane="bulk", status="expired", reason=""),
        "exhausted": count("results", lane="interactive", status="failed", reason="exhausted"),
        "leases": count("swept", found="lost_leases"),
        "jobs": count("swept", found="expired_jobs"),
        "lanes": count("swept", found="waiting_lanes"),
    }


def test_ended_rows_are_counted(engine: Engine, sweep: Sweep) -> None:
    steps.submit(engine, texts=["a", "a", "b"], deadline=timedelta(seconds=-1))
    steps.submit(engine, lane=Lane.INTERACTIVE)
    rounds = []
    for _ in range(SETTINGS.max_attempts):
        steps.lose(engine, steps.must_claim(engine, lane=Lane.INTERACTIVE).token)
        before = found()
        sweep(engine)
        rounds.append({name: number - before[name] for name, number in found().items()})
    assert rounds == [
        {"expired": 3, "exhausted": 0, "leases": 1, "jobs": 1, "lanes": 1},
        {"expired": 0, "exhausted": 1, "leases": 1, "jobs": 0, "lanes": 0},
    ]


def test_the_coming_days_of_the_request_log_are_made_and_old_ones_dropped(engine: Engine) -> None:
    today = datetime.now(UTC).date()
    with transaction(engine) as connection:
        request_log.create_partitions(connection, 0, since=today - timedelta(days=SETTINGS.request_log_days + 3))
    keep_days(engine, SETTINGS)
    with transaction(engine) as connection:
        days = request_log.partitions(connection)
    assert (days[0], days[-1]) == (
        today - timedelta(days=SETTINGS.request_log_days),
        today + timedelta(days=DAYS_AHEAD),
    )


def test_a_reader_keeps_old_days_until_the_next_round_and_the_coming_ones_are_made(engine: Engine) -> None:
    today = datetime.now(UTC).date()
    with transaction(engine) as connection:
        request_log.create_partitions(connection, 0, since=today - timedelta(days=SETTINGS.request_log_days + 1))
    with transaction(engine) as reader:
        request_log.find(reader, timedelta(days=1), (100, 599), None, 1)
        with pytest.raises(DatabaseBusy):
            keep_days(engine, SETTINGS)
        assert request_log.partitions(reader)[-1] == today + timedelta(days=DAYS_AHEAD)
    keep_days(engine, SETTINGS)


def test_a_round_without_a_database_raises(sweep: Sweep) -> None:
    gone = DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing")
    with pytest.raises(DatabaseUnavailable):
        sweep(connect(gone, "test"))


@pytest.mark.parametrize("main", [maintenance.main, worker.main], ids=["maintenance", "worker"])
def test_a_missing_setting_ends_the_process_with_its_name(
    main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "DATABASE_URL" in capsys.readouterr().err
