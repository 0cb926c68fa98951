"""Liveness, readiness, models and metrics."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import text

from db import registrations
from db.engine import Engine, transaction
from local import embedded
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import serving, wait_until
from tests.db import steps

ONE = {"reviews": [{"text": "a fine film"}]}


@pytest.fixture
def storeless(queue: QueueSettings) -> Iterator[httpx.Client]:
    """A client of an API without a database."""
    database = DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing")
    with serving(ApiSettings(), database, queue) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def readiness(client: httpx.Client) -> tuple[int, set[str]]:
    """Return the status, and the checks that do not hold."""
    answer = client.get("/readyz")
    assert answer.json()["ready"] == (answer.status_code == 200)
    return answer.status_code, {check for check, holds in answer.json()["checks"].items() if not holds}


def sample(client: httpx.Client, series: str) -> float | None:
    """Return the value of a series in /metrics, or None."""
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{series} ")), None)


def test_it_is_alive_without_a_database(storeless: httpx.Client) -> None:
    assert storeless.get("/livez").json() == {"status": "alive"}


def test_it_is_ready_when_a_worker_was_seen(client: httpx.Client, engine: Engine, model_id: int) -> None:
    steps.run(engine, "DELETE FROM workers")
    with transaction(engine) as connection:
        registrations.worker_seen(connection, "w", model_id)
    assert readiness(client) == (200, set())


def test_it_is_not_ready_without_a_worker(client: httpx.Client, engine: Engine) -> None:
    steps.run(engine, "DELETE FROM workers")
    assert readiness(client) == (503, {"worker"})


def test_a_worker_that_was_not_seen_lately_does_not_count(client: httpx.Client, engine: Engine, model_id: int) -> None:
    with transaction(engine) as connection:
        registrations.worker_seen(connection, "w", model_id)
        connection.execute(text("UPDATE workers SET seen_at = now() - interval '31 s'"))
    assert readiness(client) == (503, {"worker"})


def test_it_is_not_ready_with_another_schema(client: httpx.Client, engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000_older'"))
    assert readiness(client) == (503, {"schema", "worker"})


def test_it_is_not_ready_without_a_database(storeless: httpx.Client) -> None:
    assert readiness(storeless) == (503, {"store", "schema", "worker"})


def test_a_job_is_refused_without_a_database(storeless: httpx.Client) -> None:
    answer = storeless.post("/v1/jobs", json=ONE)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:verdict:store-unavailable")
    assert int(answer.headers["retry-after"]) > 0


def test_a_job_is_refused_before_any_model_was_loaded(client: httpx.Client, engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM workers"))
        connection.execute(text("DELETE FROM models"))
    answer = client.post("/v1/jobs", json=ONE)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:verdict:not-ready")
    assert int(answer.headers["retry-after"]) > 0


def test_models_are_listed_with_their_live_workers(client: httpx.Client, engine: Engine, model_id: int) -> None:
    with transaction(engine) as connection:
        registrations.worker_seen(connection, "one", model_id)
        registrations.worker_seen(connection, "two", model_id)
        registrations.worker_seen(connection, "gone", model_id)
        registrations.worker_gone(connection, "gone")
    [model] = client.get("/v1/models").json()["data"]
    assert (model["name"], model["version"], model["workers"], model["default"]) == ("default", "0", 3, False)


def test_metrics_show_the_backlog_of_each_lane(client: httpx.Client) -> None:
    client.post("/v1/jobs", json={"reviews": [{"text": "x"}] * 17})
    assert sample(client, "verdict_store_up") == 1
    assert sample(client, 'verdict_backlog_rows{lane="bulk",model="default"}') == 17
    assert sample(client, 'verdict_backlog_rows{lane="interactive",model="default"}') == 0
    assert (sample(client, 'verdict_backlog_oldest_seconds{lane="bulk",model="default"}') or 0) > 0
    assert sample(client, 'verdict_backlog_oldest_seconds{lane="interactive",model="default"}') == 0


def test_metrics_of_the_backlog_fall_when_the_job_is_done(client: httpx.Client, drain: Callable[[], None]) -> None:
    client.post("/v1/jobs", json=ONE)
    drain()
    assert sample(client, 'verdict_backlog_rows{lane="interactive",model="default"}') == 0
    assert sample(client, 'verdict_workers_live{model="default"}') == 1


def test_metrics_show_queued_tokens_and_rows_in_flight(client: httpx.Client, engine: Engine) -> None:
    steps.submit(engine, texts=["twice", "twice", "once", "and once more"])
    steps.run(engine, "UPDATE jobs SET tokens_estimate = 300")
    claimed = steps.must_claim(engine, reviews=1)
    assert [each.text for each in claimed.reviews] == ["twice"]
    assert sample(client, 'verdict_backlog_rows{lane="bulk",model="default"}') == 2
    assert sample(client, 'verdict_backlog_tokens{lane="bulk",model="default"}') == 150
    assert sample(client, 'verdict_in_flight_rows{lane="bulk",model="default"}') == 2
    assert sample(client, 'verdict_in_flight_rows{lane="interactive",model="default"}') == 0


def test_metrics_show_the_total_pace_of_live_workers(client: httpx.Client, engine: Engine, model_id: int) -> None:
    with transaction(engine) as connection:
        registrations.worker_seen(connection, "one", model_id, 1_000.0)
        registrations.worker_seen(connection, "two", model_id, 500.0)
        registrations.worker_seen(connection, "new", model_id)
        registrations.worker_seen(connection, "silent", model_id, 9_000.0)
    steps.run(engine, "UPDATE workers SET seen_at = now() - interval '31 s' WHERE name = 'silent'")
    assert sample(client, 'verdict_workers_live{model="default"}') == 4
    assert sample(client, 'verdict_capacity_tokens_per_second{model="default"}') == 1_500


def test_metrics_count_cancelled_rows_once(client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json={"reviews": [{"text": "x"}] * 3}).json()
    series = 'verdict_results_total{lane="interactive",reason="",status="cancelled"}'
    before = sample(client, series) or 0
    for _ in range(2):
        assert client.post(job["urls"]["cancel"], headers={"idempotency-key": "k"}).status_code == 200
    client.post(job["urls"]["cancel"])
    assert sample(client, series) == before + 3


def test_metrics_show_pools_container_and_process(client: httpx.Client) -> None:
    assert sample(client, 'verdict_pool_connections{pool="database",state="idle"}') is not None
    assert sample(client, 'verdict_pool_connections{pool="redis",state="in_use"}') is not None
    assert (sample(client, "verdict_container_memory_limit_bytes") or 0) > 1e8
    assert (sample(client, "process_resident_memory_bytes") or 0) > 1e7


def test_metrics_count_submitted_rows(client: httpx.Client) -> None:
    series = 'verdict_rows_submitted_total{lane="interactive",model="default"}'
    before = sample(client, series) or 0
    client.post("/v1/jobs", json={"reviews": [{"text": "x"}] * 3}, headers={"idempotency-key": "k"})
    client.post("/v1/jobs", json={"reviews": [{"text": "x"}] * 3}, headers={"idempotency-key": "k"})  # replayed
    assert sample(client, series) == before + 3


def test_metrics_are_served_without_a_database(storeless: httpx.Client) -> None:
    answer = storeless.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "verdict_backlog_rows{" not in answer.text
    assert "verdict_store_up 0.0" in answer.text
    assert "verdict_workers_live{" not in answer.text
    assert "verdict_capacity_tokens_per_second{" not in answer.text


def test_a_hanging_database_does_not_delay_a_scrape(client: httpx.Client, engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("LOCK TABLE workers IN ACCESS EXCLUSIVE MODE"))
        for _ in range(2):
            began = time.monotonic()
            assert sample(client, "verdict_store_up") == 0
            assert time.monotonic() - began < 3
    wait_until(lambda: sample(client, "verdict_store_up") == 1)


def test_metrics_have_no_label_that_a_caller_chooses(client: httpx.Client) -> None:
    client.request("PUT", "/v1/chosen-by-a-caller")
    client.get("/v1/jobs/chosen-by-a-caller")
    metrics = client.get("/metrics").text
    assert "chosen-by-a-caller" not in metrics
    assert 'route="/v1/jobs/{job_id}",status="422"' in metrics
