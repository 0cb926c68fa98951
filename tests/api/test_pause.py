"""Pause and resume over real HTTP: no review is claimed while a job is paused, and all are finished in the end."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from broker.messages import queue_name
from db.engine import Engine
from settings import QueueSettings
from tests.conftest import wait_until
from tests.db import steps
from tests.fakes import BULK

UNKNOWN = "/v1/jobs/0199aaaa-0000-7000-8000-000000000000"


@pytest.fixture
def job(client: httpx.Client) -> Any:
    """A queued job."""
    reviews = {"reviews": [{"text": f"film {number}"} for number in range(20)]}
    return client.post("/v1/jobs", json=reviews).json()


def change(client: httpx.Client, job: dict[str, Any], name: str) -> Any:
    answer = client.post(job["urls"][name])
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_nothing_is_claimed_while_paused_and_resume_finishes(
    client: httpx.Client, job: dict[str, Any], drain: Callable[[], None]
) -> None:
    assert change(client, job, "pause")["status"] == "paused"
    drain()
    assert client.get(job["urls"]["self"]).json()["counts"]["queued"] == 20
    assert change(client, job, "resume")["status"] == "queued"
    drain()
    done = client.get(job["urls"]["self"]).json()
    assert (done["status"], done["counts"]["succeeded"]) == ("succeeded", 20)


def test_claimed_reviews_are_finished_while_paused(
    client: httpx.Client, job: dict[str, Any], engine: Engine, model_id: int
) -> None:
    claimed = steps.must_claim(engine, reviews=5)
    assert change(client, job, "pause")["counts"]["processing"] == 5
    steps.complete_all(engine, claimed, model_id)
    paused = client.get(job["urls"]["self"]).json()
    assert (paused["status"], paused["counts"]["succeeded"], paused["counts"]["queued"]) == ("paused", 5, 15)
    assert (paused["reviews_per_second"], paused["remaining_seconds"]) == (None, None)
    assert change(client, job, "resume")["status"] == "processing"


def test_pause_and_resume_can_be_repeated(client: httpx.Client, job: dict[str, Any]) -> None:
    assert [change(client, job, "pause")["status"] for _ in range(2)] == ["paused", "paused"]
    assert [change(client, job, "resume")["status"] for _ in range(2)] == ["queued", "queued"]


def test_a_repeated_key_does_not_pause_again(client: httpx.Client, job: dict[str, Any]) -> None:
    headers = {"idempotency-key": "one"}
    client.post(job["urls"]["pause"], headers=headers)
    change(client, job, "resume")
    again = client.post(job["urls"]["pause"], headers=headers)
    assert (again.json()["status"], again.headers["idempotent-replayed"]) == ("queued", "true")


def test_resume_wakes_workers(client: httpx.Client, job: dict[str, Any], queue: QueueSettings) -> None:
    change(client, job, "pause")
    with redis.Redis.from_url(queue.redis_url) as valkey:
        wait_until(lambda: valkey.delete(queue_name(BULK)))  # the wake-up of the submission
        change(client, job, "resume")
        wait_until(lambda: valkey.llen(queue_name(BULK)))


def test_a_paused_job_can_be_cancelled(client: httpx.Client, job: dict[str, Any]) -> None:
    change(client, job, "pause")
    cancelled = change(client, job, "cancel")
    assert (cancelled["status"], cancelled["remaining_seconds"]) == ("cancelled", 0)


@pytest.mark.parametrize("name", ["pause", "resume"])
def test_a_finished_job_can_be_neither_paused_nor_resumed(client: httpx.Client, job: dict[str, Any], name: str) -> None:
    change(client, job, "cancel")
    answer = client.post(job["urls"][name])
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:verdict:wrong-state")
    assert f"nothing to {name}" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["pause", "resume"])
def test_an_unknown_job_is_unknown(client: httpx.Client, name: str) -> None:
    assert client.post(f"{UNKNOWN}/{name}").status_code == 404


def test_paused_jobs_can_be_listed(client: httpx.Client, job: dict[str, Any]) -> None:
    change(client, job, "pause")
    [found] = client.get("/v1/jobs", params={"status": "paused"}).json()["data"]
    assert found["id"] == job["id"]


def test_a_job_shows_its_pace_and_remaining_time(
    client: httpx.Client, job: dict[str, Any], engine: Engine, model_id: int
) -> None:
    assert (job["reviews_per_second"], job["remaining_seconds"]) == (None, None)
    steps.complete_all(engine, steps.must_claim(engine, reviews=5), model_id)
    running = client.get(job["urls"]["self"]).json()
    assert running["remaining_seconds"] == pytest.approx(15 / running["reviews_per_second"])
    steps.complete_all(engine, steps.must_claim(engine), model_id)
    done = client.get(job["urls"]["self"]).json()
    assert done["reviews_per_second"] > 0
    assert done["remaining_seconds"] == 0


@pytest.mark.usefixtures("worker")
def test_a_job_shows_how_its_file_was_read_and_its_evaluation(client: httpx.Client) -> None:
    body = b"id;review;sentiment\n1;a film;positive\n2;a dull film;Negative\n3;;pos\n4;a fine film;unclear\n"
    headers = {"content-type": "text/csv", "prefer": "wait=20"}
    job = client.post("/v1/jobs", content=body, headers=headers).json()
    assert job["file"] == {
        "columns": ["id", "review", "sentiment"],
        "text_column": "review",
        "delimiter": ";",
        "encoding": "utf-8",
        "quoting": "doubled",
        "notes": [],
    }
    evaluation = job["evaluation"]
    right = [each["sentiment"] == truth for each, truth in zip(job["results"], ["positive", "negative"], strict=False)]
    assert (evaluation["labelled"], evaluation["unknown_labels"], evaluation["accuracy"]) == (3, 1, sum(right) / 2)
    [listed] = client.get("/v1/jobs").json()["data"]
    assert (listed["evaluation"], listed["file"]) == (None, job["file"])


def test_a_json_job_has_neither_file_nor_evaluation(job: dict[str, Any]) -> None:
    assert (job["file"], job["evaluation"]) == (None, None)
