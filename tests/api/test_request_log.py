"""The request log: every answer is written in time, also across outages of the database."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from api.http.request_log import BATCH, RequestLog
from db.engine import Engine, connect, transaction
from db.request_log import LoggedRequest
from local import embedded
from settings import ROOT, ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import serving, wait_until
from tests.db import steps

NEVER = 3600.0
LOGGED = "SELECT * FROM request_log ORDER BY at"


def request(request_id: str = "r", at: datetime | None = None) -> LoggedRequest:
    return LoggedRequest(at or datetime.now(UTC), request_id, None, "GET", "/v1/jobs", 200, 1.5, 0, 10, None)


def logged(engine: Engine) -> list[str]:
    return [row.request_id for row in steps.rows(engine, LOGGED)]


def unlogged() -> float:
    return REGISTRY.get_sample_value("verdict_requests_unlogged_total") or 0


def run(log: RequestLog, engine: Engine, act: Callable[[], Awaitable[None]] | None = None) -> None:
    """Open the log in an event loop, act, and close it."""

    async def opened() -> None:
        async with log.open(engine):
            if act:
                await act()

    asyncio.run(opened())


async def until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition)


@pytest.fixture
def impatient_pool(database: DatabaseSettings) -> Iterator[Engine]:
    """A connection pool with a lock timeout of 0.2 s."""
    pool = connect(database.model_copy(update={"database_timeout_seconds": 0.2}), "test")
    yield pool
    pool.dispose()


def test_requests_are_written_with_their_fields(engine: Engine, client: httpx.Client) -> None:
    body = '{"reviews": [{"text": "a film"}]}'
    job = client.post("/v1/jobs", content=body, headers={"content-type": "application/json", "x-request-id": "mine"})
    client.get("/livez")
    answer = client.get(f"/v1/jobs/{job.json()['id']}", headers={"x-request-id": "then"})
    wait_until(lambda: len(logged(engine)) == 2)
    first, second = steps.rows(engine, LOGGED)
    assert (first.request_id, first.method, first.route, first.status) == ("mine", "POST", "/v1/jobs", 202)
    assert (first.request_bytes, first.response_bytes, first.key) == (len(body), len(job.content), None)
    assert (second.request_id, second.method, second.route, second.status) == ("then", "GET", "/v1/jobs/{job_id}", 200)
    assert (second.request_bytes, second.response_bytes) == (0, len(answer.content))
    assert second.job_id == UUID(job.json()["id"])
    assert second.at - first.at < timedelta(seconds=20)
    assert 0 < second.duration_ms < 20_000


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nowhere/at-all", ("OTHER", "unknown", 404, None)),
        ("PUT", "/v1/jobs", ("PUT", "/v1/jobs", 405, None)),
        ("GET", "/v1/jobs/no-uuid", ("GET", "/v1/jobs/{job_id}", 422, None)),
        ("GET", f"/v1/jobs/{UUID(int=5)}", ("GET", "/v1/jobs/{job_id}", 404, UUID(int=5))),
        ("POST", f"/v1/jobs/{UUID(int=5)}/cancel", ("POST", "/v1/jobs/{job_id}/cancel", 404, UUID(int=5))),
    ],
)
def test_refused_requests_are_written_too(
    engine: Engine, client: httpx.Client, method: str, path: str, expected: tuple[Any, ...]
) -> None:
    client.request(method, path)
    [row] = wait_until(lambda: steps.rows(engine, LOGGED))
    assert (row.method, row.route, row.status, row.job_id) == expected


def test_bytes_are_counted_when_no_length_is_announced(engine: Engine, client: httpx.Client) -> None:
    pieces = (b'{"reviews": [{"text":', b' "a film"}]}')
    client.post("/v1/jobs", content=iter(pieces), headers={"content-type": "application/json"})
    [row] = wait_until(lambda: steps.rows(engine, LOGGED))
    assert row.request_bytes == sum(map(len, pieces))


def test_no_request_stays_open_or_is_lost(client: httpx.Client) -> None:
    lost = unlogged()
    assert client.get("/v1/jobs").is_success
    assert client.get("/v1/jobs/none").is_client_error
    assert "verdict_http_requests_open 1.0" in client.get("/metrics").text  # the scrape itself
    assert unlogged() == lost


def test_a_shutdown_writes_the_rest(engine: Engine, database: DatabaseSettings, queue: QueueSettings) -> None:
    settings = ApiSettings(request_log_seconds=NEVER)
    with serving(settings, database, queue) as url, httpx.Client(base_url=url) as client:
        for number in range(3):
            client.get("/v1/jobs", headers={"x-request-id": str(number)})
        assert logged(engine) == []
    assert logged(engine) == ["0", "1", "2"]


def test_sigterm_writes_the_rest_and_log_lines_hold_the_ids(
    engine: Engine, database: DatabaseSettings, queue: QueueSettings
) -> None:
    port, job = embedded.free_port(), str(UUID(int=5))
    env = {
        "DATABASE_URL": database.database_url,
        "REDIS_URL": queue.redis_url,
        "PORT": str(port),
        "REQUEST_LOG_SECONDS": "3600",
    }
    command = [sys.executable, "-m", "api.main"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stderr=subprocess.PIPE, text=True) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=20)) as client:
            client.get(f"/v1/jobs/{job}", headers={"x-request-id": "last"})
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert logged(engine) == ["last"]
    [line] = [line for line in map(json.loads, said.splitlines()) if line["event"] == "request"]
    known = ("request_id", "job_id", "route", "status", "process")
    assert [line[name] for name in known] == ["last", job, "/v1/jobs/{job_id}", 404, "api"]


def test_a_full_batch_is_written_at_once(engine: Engine) -> None:
    log = RequestLog(NEVER)

    async def act() -> None:
        for number in range(BATCH):
            log.add(request(str(number)))
        await until(lambda: len(logged(engine)) == BATCH)

    run(log, engine, act)


def test_more_than_a_batch_is_written_at_the_end_in_order(engine: Engine) -> None:
    log, start = RequestLog(NEVER), datetime.now(UTC)
    for number in range(2 * BATCH + 5):
        log.add(request(str(number), start + timedelta(microseconds=number)))
    run(log, engine)
    assert logged(engine) == [str(number) for number in range(2 * BATCH + 5)]


def test_requests_are_buffered_while_the_database_fails(engine: Engine, impatient_pool: Engine) -> None:
    log, lost = RequestLog(0.05), unlogged()
    with transaction(engine) as connection:
        connection.exec_driver_sql("LOCK TABLE request_log")
        log.add(request("kept"))

        async def act() -> None:
            await until(lambda: log._is_failing)
            connection.rollback()
            await until(lambda: logged(engine) == ["kept"])
            assert not log._is_failing

        with capture_logs() as lines:
            run(log, impatient_pool, act)
    assert [line["event"] for line in lines] == ["request_log_waits"]
    assert unlogged() == lost


def test_a_full_buffer_drops_and_counts_the_oldest_requests(engine: Engine) -> None:
    log, lost = RequestLog(NEVER, most_waiting=2), unlogged()
    for request_id in "abcd":
        log.add(request(request_id))
    assert unlogged() == lost + 2
    run(log, engine)
    assert logged(engine) == ["c", "d"]


def test_requests_that_are_lost_at_shutdown_are_counted_and_logged() -> None:
    gone = connect(
        DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing"), "test"
    )
    log, lost = RequestLog(NEVER), unlogged()
    log.add(request())
    with capture_logs() as lines:
        run(log, gone)
    assert unlogged() == lost + 1
    assert [line["event"] for line in lines] == ["request_log_waits", "requests_unlogged"]


def test_a_hanging_database_does_not_delay_the_shutdown(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.request_log.LAST_SECONDS", 0.1)
    log, lost = RequestLog(NEVER), unlogged()
    run(log, engine)
    log.add(request())
    with transaction(engine) as connection:
        connection.exec_driver_sql("LOCK TABLE request_log")
        began = time.monotonic()

        async def stop() -> None:
            async with log.open(engine):
                pass
            assert time.monotonic() - began < 3
            assert unlogged() == lost + 1
            connection.rollback()  # the abandoned thread ends

        asyncio.run(stop())


def test_requests_that_cannot_be_written_do_not_block_later_ones(engine: Engine) -> None:
    log, lost = RequestLog(0.05), unlogged()
    log.add(request("a NUL \0"))

    async def act() -> None:
        await until(lambda: unlogged() == lost + 1)
        log.add(request("fine"))
        await until(lambda: logged(engine) == ["fine"])

    run(log, engine, act)


def test_days_of_an_outage_get_their_partitions(engine: Engine) -> None:
    log, now = RequestLog(NEVER), datetime.now(UTC)
    log.add(request("then", now - timedelta(days=3)))
    log.add(request("now", now))
    run(log, engine)
    assert logged(engine) == ["then", "now"]


def test_a_dropped_partition_is_created_again(engine: Engine) -> None:
    log, lost = RequestLog(0.05), unlogged()
    log.add(request("gone"))

    async def act() -> None:
        await until(lambda: logged(engine) == ["gone"])
        steps.run(engine, f"DROP TABLE request_log_{datetime.now(UTC):%Y%m%d}")
        log.add(request("lost"))
        await until(lambda: unlogged() == lost + 1)
        log.add(request("again"))
        await until(lambda: logged(engine) == ["again"])

    run(log, engine, act)


def test_two_processes_write_at_once(engine: Engine) -> None:
    async def both() -> None:
        logs = [RequestLog(0.01) for _ in range(2)]
        async with logs[0].open(engine), logs[1].open(engine):
            for number in range(200):
                logs[number % 2].add(request(str(number)))

    asyncio.run(both())
    assert sorted(logged(engine), key=int) == [str(number) for number in range(200)]


def test_ids_that_are_no_utf8_or_too_long_are_replaced(engine: Engine, client: httpx.Client) -> None:
    client.get("/v1/jobs", headers={b"x-request-id": b"\xff\xfe"})
    client.get("/v1/jobs", headers={"x-request-id": "x" * 129})
    wait_until(lambda: len(logged(engine)) == 2)
    assert [UUID(each).version for each in logged(engine)] == [4, 4]
