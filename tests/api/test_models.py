"""The choice of a job's model, and queues that are independent of each other; over real HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import httpx
import pytest
import redis

from broker.messages import queue_name
from db.engine import Engine, transaction
from db.models import Lane, ModelLane
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import WAIT_SECONDS, register_fake, serve_fake, serving, wait_until
from tests.db import steps

TEXT = "a fine film"
JOB = {"reviews": [{"text": TEXT}]}
CSV = {"content-type": "text/csv"}
Answer: TypeAlias = Callable[[httpx.Client, str | None], httpx.Response]


@pytest.fixture
def api(database: DatabaseSettings, queue: QueueSettings) -> Callable[..., Any]:
    """Return a function that starts an API with given settings on a database without models."""

    @contextmanager
    def start(**settings: Any) -> Iterator[httpx.Client]:
        with (
            serving(ApiSettings(**settings), database, queue) as url,
            httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client,
        ):
            yield client

    return start


def served(engine: Engine, *names: str) -> None:
    with transaction(engine) as connection:
        for name in names:
            serve_fake(connection, name)


def loaded(engine: Engine, *names: str) -> None:
    """Register models that were loaded once and have no live worker."""
    with transaction(engine) as connection:
        for name in names:
            register_fake(connection, name)


def given(model: str | None) -> dict[str, str]:
    return {} if model is None else {"model": model}


def as_json(client: httpx.Client, model: str | None) -> httpx.Response:
    return client.post("/v1/jobs", json=JOB | given(model))


def as_file(client: httpx.Client, model: str | None) -> httpx.Response:
    return client.post("/v1/jobs", content=f"text\n{TEXT}\n", headers=CSV, params=given(model))


def as_form(client: httpx.Client, model: str | None) -> httpx.Response:
    return client.post("/v1/jobs", data=given(model), files={"file": ("t.csv", f"text\n{TEXT}\n".encode())})


def as_classify(client: httpx.Client, model: str | None) -> httpx.Response:
    return client.post("/v1/classify", json={"review_text": TEXT} | given(model))


WAYS = [as_json, as_file, as_form]
ALL_WAYS = [*WAYS, as_classify]


def models_of_jobs(engine: Engine) -> list[str]:
    return [row.model for row in steps.rows(engine, "SELECT model FROM jobs ORDER BY id")]


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("type", "").removeprefix("urn:verdict:")


@pytest.mark.parametrize("way", ALL_WAYS)
@pytest.mark.parametrize("setting", [{}, {"default_model": "mine"}], ids=["one served", "DEFAULT_MODEL"])
def test_a_job_before_the_first_worker_is_refused_as_not_ready(
    api: Callable[..., Any], way: Answer, setting: Any
) -> None:
    with api(**setting) as client:
        for model in (None, "mine"):
            answer = way(client, model)
            assert kind(answer) == (503, "not-ready")
            assert int(answer.headers["retry-after"]) > 0


def test_a_default_model_without_worker_is_named_with_the_models_served(
    api: Callable[..., Any], engine: Engine
) -> None:
    served(engine, "mine")
    with api(default_model="typo") as client:
        answer = as_json(client, None)
    assert kind(answer) == (503, "not-ready")
    said = "No worker has loaded typo, the DEFAULT_MODEL, yet; these models are served: mine."
    assert answer.json()["detail"] == said


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("setting", [{}, {"default_model": "mine"}], ids=["one served", "DEFAULT_MODEL"])
def test_a_job_that_names_no_model_goes_to_the_one_that_is_served(
    api: Callable[..., Any], engine: Engine, way: Answer, setting: Any
) -> None:
    loaded(engine, "default")  # was served once
    served(engine, "mine")
    with api(**setting) as client:
        answer = way(client, None)
        assert (answer.status_code, answer.json()["model"], answer.json()["warning"]) == (202, "mine", None)
        assert way(client, "mine").json()["model"] == "mine"
    assert models_of_jobs(engine) == ["mine", "mine"]


@pytest.mark.parametrize("way", ALL_WAYS)
def test_with_several_models_a_job_must_name_one_or_there_is_a_default(
    api: Callable[..., Any], engine: Engine, way: Answer
) -> None:
    served(engine, "default", "mine")
    with api() as client:
        answer = way(client, None)
        assert kind(answer) == (422, "invalid-request")
        [error] = answer.json()["errors"]
        assert error["pointer"] in {"/model", "query/model"}
        assert "several models are served (default, mine), and DEFAULT_MODEL is not set" in error["detail"]
        assert as_json(client, "mine").json()["model"] == "mine"
    with api(default_model="mine") as client:
        assert as_json(client, None).json()["model"] == "mine"
        assert as_json(client, "default").json()["model"] == "default"


@pytest.mark.parametrize("way", ALL_WAYS)
def test_an_unknown_model_is_refused_with_the_names_that_are_served(
    api: Callable[..., Any], engine: Engine, way: Answer
) -> None:
    served(engine, "default", "mine")
    loaded(engine, "old")
    with api() as client:
        answer = way(client, "nothing")
        assert kind(answer) == (422, "invalid-request")
        assert answer.json()["errors"][0]["detail"] == "is not one of the models that are served: default, mine"
    assert models_of_jobs(engine) == []


@pytest.mark.parametrize("way", ALL_WAYS)
@pytest.mark.parametrize("silent", ["DELETE FROM workers", "UPDATE workers SET seen_at = now() - interval '31 s'"])
def test_a_model_that_no_live_worker_serves_is_refused(
    api: Callable[..., Any], engine: Engine, way: Answer, silent: str
) -> None:
    served(engine, "mine")
    steps.run(engine, silent)
    served(engine, "default")
    with api(default_model="mine") as client:
        for model in ("mine", None):
            answer = way(client, model)
            assert kind(answer) == (503, "no-worker")
            assert int(answer.headers["retry-after"]) > 0
            assert "No live worker serves the model mine; these models are served: default." in answer.json()["detail"]
    assert models_of_jobs(engine) == []


@pytest.mark.parametrize("way", WAYS)
def test_accept_without_worker_keeps_such_a_job_with_a_warning(
    api: Callable[..., Any], engine: Engine, way: Answer
) -> None:
    loaded(engine, "mine")
    with api(accept_without_worker=True) as client:
        for model in ("mine", None):
            job = way(client, model).json()
            assert job["warning"] == "No live worker serves the model mine; the job is kept and waits until one does."
        served(engine, "mine")
        assert client.get(job["urls"]["self"]).json()["warning"] is None
    with api(accept_without_worker=True) as client:
        assert kind(as_json(client, "nothing")) == (422, "invalid-request")
    assert models_of_jobs(engine) == ["mine", "mine"]


def test_classify_says_why_it_waited_in_vain(api: Callable[..., Any], engine: Engine) -> None:
    loaded(engine, "mine")
    with api(accept_without_worker=True, max_wait_seconds=0.1) as client:
        answer = as_classify(client, "mine")
    assert kind(answer) == (504, "not-in-time")
    assert "No live worker serves the model mine" in answer.json()["detail"]


def test_a_new_model_is_found_at_once_and_a_lost_one_within_a_second(api: Callable[..., Any], engine: Engine) -> None:
    served(engine, "default")
    with api() as client:
        assert kind(as_json(client, "mine"))[0] == 422
        served(engine, "mine")
        assert as_json(client, "mine").status_code == 202
        steps.run(engine, "DELETE FROM workers WHERE name = 'mine'")
        wait_until(lambda: kind(as_json(client, "mine")) == (503, "no-worker"))


@pytest.mark.parametrize("way", WAYS)
def test_a_repeated_key_returns_its_job_though_other_models_are_served_now(
    api: Callable[..., Any], engine: Engine, way: Answer
) -> None:
    served(engine, "default")
    with api() as client:
        client.headers["idempotency-key"] = "unnamed"
        if way is as_form:  # the boundary differs each time and is not compared
            client.headers["idempotency-key"] = "form"
        first = way(client, None)
        named = way(client, "default")
        assert (first.status_code, kind(named)) == (202, (422, "idempotency-key-reused"))
        steps.run(engine, "DELETE FROM workers")
        served(engine, "mine")
        with api() as other:
            other.headers["idempotency-key"] = client.headers["idempotency-key"]
            again = way(other, None)
        assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
        assert (again.json()["id"], again.json()["model"]) == (first.json()["id"], "default")
    assert models_of_jobs(engine) == ["default"]


@pytest.fixture
def two(api: Callable[..., Any], engine: Engine) -> Iterator[httpx.Client]:
    """Two models; `mine` has a pace of 1 token a second and 12,935 tokens queued in either lane."""
    served(engine, "default", "mine")
    steps.run(engine, "UPDATE workers SET tokens_per_second = 1 WHERE name = 'mine'")
    steps.run(engine, "UPDATE workers SET tokens_per_second = 10000 WHERE name = 'default'")
    for lane in Lane:
        steps.submit(engine, 1, lane=lane, tokens=12_935, model="mine")
    with api(default_model="default", admit_bulk_seconds=60) as client:
        yield client


def bulk(client: httpx.Client, model: str | None) -> httpx.Response:
    return client.post("/v1/jobs", json={"reviews": [{"text": f"{TEXT} {row}"} for row in range(20)]} | given(model))


def bulk_file(client: httpx.Client, model: str | None) -> httpx.Response:
    rows = "".join(f"{TEXT} {row}\n" for row in range(20))
    return client.post("/v1/jobs", content=f"text\n{rows}", headers=CSV, params=given(model))


@pytest.mark.parametrize("way", [*WAYS, bulk, bulk_file])
def test_a_full_queue_of_one_model_refuses_no_job_for_another(two: httpx.Client, way: Answer) -> None:
    for model in (None, "default") * 2:
        assert way(two, "mine").status_code == 429  # in memory too, from the second on
        assert way(two, model).status_code == 202


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"reviews": [{"text": "fine"}], "model": "mine"', 429),  # refused before it is parsed
        (b'{"reviews": [{"text": "fine"}], "model" : "default"', 400),
        (b'{"reviews": [{"text": "fine"}]', 400),
        (b'{"reviews": [{"text": "fine"}], "metadata": {"model": "mine"}}', 202),
        (rb'{"reviews": [{"text": "fine"}], "mod\u0065l": "mine"}', 429),
        (b'{"reviews": [{"text": "fine", "id": "model"}]}', 202),
        (rb'{"reviews": [{"text": "\"model\": \"mine\""}]}', 202),
    ],
)
def test_the_early_refusal_reads_the_model_of_the_body(two: httpx.Client, body: bytes, status: int) -> None:
    headers = {"content-type": "application/json"}
    assert as_json(two, "mine").status_code == 429
    assert as_json(two, None).status_code == 202
    assert two.post("/v1/jobs", content=body, headers=headers).status_code == status


def test_metrics_have_a_series_for_each_model(two: httpx.Client, engine: Engine) -> None:
    steps.run(engine, "UPDATE workers SET seen_at = now() - interval '31 s' WHERE name = 'mine'")
    steps.submit(engine, 3, model="nobody's")
    shown = dict(line.rpartition(" ")[::2] for line in two.get("/metrics").text.splitlines())
    assert shown['verdict_backlog_tokens{lane="interactive",model="mine"}'] == "12935.0"
    assert shown['verdict_backlog_tokens{lane="interactive",model="default"}'] == "0.0"
    assert shown['verdict_backlog_rows{lane="bulk",model="nobody\'s"}'] == "3.0"
    assert [shown[f'verdict_workers_live{{model="{name}"}}'] for name in ("default", "mine", "nobody's")] == [
        *("1.0", "0.0", "0.0")
    ]
    assert shown['verdict_capacity_tokens_per_second{model="default"}'] == "10000.0"
    assert shown['verdict_capacity_tokens_per_second{model="mine"}'] == "0.0"


def test_metrics_show_the_default_model_before_it_is_loaded(api: Callable[..., Any]) -> None:
    with api(default_model="mine") as client:
        assert 'verdict_workers_live{model="mine"} 0.0' in client.get("/metrics").text


def test_readiness_is_shown_for_each_model(two: httpx.Client, engine: Engine, api: Callable[..., Any]) -> None:
    steps.run(engine, "UPDATE workers SET seen_at = now() - interval '31 s' WHERE name = 'mine'")
    of = {model: two.get("/readyz", params=given(model)) for model in (None, "default", "mine", "nothing")}
    assert {model: answer.status_code for model, answer in of.items()} == {
        None: 200,
        "default": 200,
        "mine": 503,
        "nothing": 503,
    }
    assert of["mine"].json() == {
        "ready": False,
        "checks": {"store": True, "schema": True, "worker": False},
        "models": {"default": {"ready": True, "workers": 1}, "mine": {"ready": False, "workers": 0}},
    }
    with api(default_model="mine") as strict, api() as any_model:
        assert (strict.get("/readyz").status_code, any_model.get("/readyz").status_code) == (503, 200)


def test_models_show_their_workers_and_the_default(two: httpx.Client, engine: Engine) -> None:
    loaded(engine, "old")
    found = {each["name"]: (each["workers"], each["default"]) for each in two.get("/v1/models").json()["data"]}
    assert found == {"default": (1, True), "mine": (1, False), "old": (0, False)}


def test_a_job_wakes_only_the_workers_of_its_model(two: httpx.Client, queue: QueueSettings) -> None:
    with redis.Redis.from_url(queue.redis_url) as valkey:
        as_json(two, "default")
        wait_until(lambda: valkey.llen(queue_name(ModelLane("default", Lane.INTERACTIVE))))
        assert not valkey.exists(*(queue_name(ModelLane("mine", lane)) for lane in Lane))
