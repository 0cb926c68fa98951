"""Server-sent events over real HTTP: every state once, in order, and an end."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import fastapi.routing
import httpx
import psycopg
import pytest
import redis
import uvicorn

from api.app import create_app
from api.main import ApiServer
from api.routes import events
from broker import job_waiter
from broker.messages import DONE_CHANNEL, done_message
from db.engine import Engine
from monitoring.liveness import Heartbeat
from monitoring.metrics import HTTP_REQUESTS
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import wait_until
from tests.db import steps

ROUTE = "/v1/jobs/{job_id}/events"
Event = dict[str, Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the job every 20 ms."""
    monkeypatch.setattr(events, "READ_SECONDS", 0.02)


@pytest.fixture
def job(client: httpx.Client) -> Any:
    """A queued job."""
    reviews = {"reviews": [{"text": f"film {number}"} for number in range(20)]}
    return client.post("/v1/jobs", json=reviews).json()


@contextmanager
def following(client: httpx.Client, job: dict[str, Any], last: str = "") -> Iterator[Iterator[Event]]:
    """Iterate over the events as they arrive."""
    headers = {"last-event-id": last} if last else {}
    with client.stream("GET", job["urls"]["events"], headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield parsed(answer.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[Event]:
    event: Event = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            event[name] = value
        elif event:
            yield event | {"data": json.loads(event["data"])}
            event = {}


def test_a_job_is_followed_to_its_end(client: httpx.Client, job: dict[str, Any], engine: Engine, model_id: int) -> None:
    with following(client, job) as coming:
        seen = [next(coming)]
        for _ in range(4):
            steps.complete_all(engine, steps.must_claim(engine, reviews=5), model_id)
            seen.append(next(coming))
            while seen[-1]["data"]["counts"]["processing"]:  # a state between claim and completion
                seen.append(next(coming))
        assert list(coming) == []
    assert [each["event"] for each in seen] == ["progress"] * (len(seen) - 1) + ["end"]
    assert len({each["id"] for each in seen}) == len(seen)
    done = [each["data"]["counts"]["succeeded"] for each in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 20)
    assert seen[-1]["data"] == client.get(job["urls"]["self"]).json() | {"results": None}


def test_a_known_state_is_not_repeated(client: httpx.Client, job: dict[str, Any], engine: Engine) -> None:
    with following(client, job) as coming:
        known = next(coming)
    with following(client, job, known["id"]) as coming:
        steps.stop(engine, UUID(job["id"]))
        assert [(each["event"], each["data"]["status"]) for each in coming] == [("end", "cancelled")]


def test_after_an_older_state_the_newest_is_sent(client: httpx.Client, job: dict[str, Any]) -> None:
    with following(client, job, "something old") as coming:
        assert next(coming)["data"]["status"] == "queued"


def test_the_end_of_a_finished_job_is_sent_once(client: httpx.Client, job: dict[str, Any], engine: Engine) -> None:
    steps.stop(engine, UUID(job["id"]))
    with following(client, job) as coming:
        [end] = coming
    with following(client, job, end["id"]) as coming:
        assert list(coming) == []


def test_a_paused_job_is_followed_until_it_resumes_and_ends(
    client: httpx.Client, job: dict[str, Any], drain: Callable[[], None]
) -> None:
    with following(client, job) as coming:
        next(coming)
        client.post(job["urls"]["pause"])
        assert next(coming)["data"]["status"] == "paused"
        client.post(job["urls"]["resume"])
        drain()
        *_, last = coming
        assert (last["event"], last["data"]["status"]) == ("end", "succeeded")


def test_the_stream_of_a_deleted_job_ends(client: httpx.Client, job: dict[str, Any]) -> None:
    with following(client, job) as coming:
        next(coming)
        client.delete(job["urls"]["self"])
        assert list(coming) == []


def test_an_unknown_job_is_answered_with_a_problem(client: httpx.Client) -> None:
    answer = client.get(ROUTE.format(job_id=UUID(int=1)))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_comments_keep_a_quiet_stream_open(
    client: httpx.Client, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.05)
    with client.stream("GET", job["urls"]["events"]) as answer:
        comments = (line for line in answer.iter_lines() if line.startswith(":"))
        assert [next(comments), next(comments)] == [": ping", ": ping"]


def test_a_message_of_the_worker_ends_the_wait(
    client: httpx.Client, job: dict[str, Any], engine: Engine, queue: QueueSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "READ_SECONDS", 60)
    monkeypatch.setattr(job_waiter, "POLL_SECONDS", 60)
    with (
        following(client, job) as coming,
        ThreadPoolExecutor(1) as threads,
        redis.Redis.from_url(queue.redis_url) as channel,
    ):
        next(coming)
        steps.stop(engine, UUID(job["id"]))
        end = threads.submit(next, coming)
        # The API may not have subscribed yet, so the message is repeated.
        wait_until(lambda: channel.publish(DONE_CHANNEL, done_message([UUID(job["id"])])) and end.done())
        assert end.result()["event"] == "end"


def test_a_stream_survives_an_outage_of_the_database(
    client: httpx.Client, job: dict[str, Any], database: DatabaseSettings, engine: Engine
) -> None:
    elsewhere, _, name = database.database_url.rpartition("/")
    with following(client, job) as coming, psycopg.connect(f"{elsewhere}/postgres", autocommit=True) as connection:
        next(coming)
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        wait_until(lambda: client.get("/readyz").json()["checks"]["store"] is False)
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        engine.dispose()
        steps.stop(engine, UUID(job["id"]))
        assert next(coming)["event"] == "end"


def test_a_stream_ends_when_the_client_disconnects(client: httpx.Client, job: dict[str, Any]) -> None:
    served = HTTP_REQUESTS.labels("GET", ROUTE, 200)
    before = served._value.get()
    with following(client, job) as coming:
        next(coming)
        assert served._value.get() == before
    wait_until(lambda: served._value.get() == before + 1)


def test_a_shutdown_does_not_wait_for_a_stream(
    database: DatabaseSettings, queue: QueueSettings, engine: Engine
) -> None:
    app = create_app(ApiSettings(), database, queue)
    server = ApiServer(app, uvicorn.Config(app, port=0, log_config=None), Heartbeat(None))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = {"urls": {"events": f"http://127.0.0.1:{port}/v1/jobs/{steps.submit(engine)}/events"}}
    with httpx.Client(timeout=20) as client, following(client, url) as found:
        next(found)
        server.handle_exit(signal.SIGTERM, None)
        assert list(found) == []
    wait_until(lambda: not thread.is_alive())
