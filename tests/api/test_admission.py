"""Submissions are refused while their queue is full, over real HTTP against real servers."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from api.admission.control import AdmissionControl
from api.admission.retry_schedule import QUIET_SECONDS
from api.errors import Overloaded
from db.admission import Ahead, LaneFull
from db.engine import Engine
from db.models import Lane
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import WAIT_SECONDS, serving, wait_until
from tests.db import steps
from tests.fakes import BULK, INTERACTIVE, MODEL

TEXT = "a fine film"  # an estimated 4 tokens
JOB = {"reviews": [{"text": TEXT}]}
FULL = httpx.codes.TOO_MANY_REQUESTS


@pytest.fixture
def pace(engine: Engine, model_id: int) -> Callable[[float], None]:
    """Set the pace of the only worker, in tokens a second."""

    def measured(tokens_per_second: float) -> None:
        statement = """
            INSERT INTO workers (name, model_id, tokens_per_second) VALUES ('only', :id, :pace)
            ON CONFLICT (name) DO UPDATE SET tokens_per_second = :pace, seen_at = now()
        """
        steps.run(engine, statement, id=model_id, pace=tokens_per_second)

    return measured


@pytest.fixture
def other(database: DatabaseSettings, queue: QueueSettings, model_id: int) -> Iterator[httpx.Client]:
    """A client of a second API process on the same database."""
    assert model_id
    with serving(ApiSettings(), database, queue) as url, httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client:
        yield client


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def says_when_to_retry(answer: httpx.Response) -> bool:
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (FULL, "urn:verdict:overloaded")
    assert answer.headers["content-type"] == "application/problem+json"
    assert f"Try again in {answer.headers['retry-after']} s." in problem["detail"]
    return 1 <= int(answer.headers["retry-after"]) <= 60


def test_an_idle_lane_accepts_any_job_and_a_full_one_says_when_to_retry(
    client: httpx.Client, engine: Engine, pace: Callable[[float], None]
) -> None:
    pace(2)
    shed = metric("verdict_shed_total", model=MODEL, lane="interactive", reason="backlog")
    assert client.post("/v1/jobs", json=JOB).status_code == 202
    refused = client.post("/v1/jobs", json=JOB)
    assert says_when_to_retry(refused)
    assert "2.00 s of work are queued before this job; the limit is 0.12 s." in refused.json()["detail"]
    assert says_when_to_retry(client.post("/v1/classify", json={"review_text": TEXT}))
    assert metric("verdict_shed_total", model=MODEL, lane="interactive", reason="backlog") == shed + 2
    assert len(steps.rows(engine, "SELECT FROM jobs")) == 1


def test_no_body_is_parsed_for_a_moment_after_a_refusal(client: httpx.Client, pace: Callable[[float], None]) -> None:
    pace(1)
    client.post("/v1/jobs", json=JOB)
    assert client.post("/v1/jobs", json=JOB).status_code == FULL
    kind = {"content-type": "application/json"}
    assert client.post("/v1/jobs", content=b"{", headers=kind).status_code == FULL
    assert client.post("/v1/classify", content=b"{", headers=kind).status_code == FULL
    # A body that may be a bulk job is parsed; an escaped letter does not hide a review.
    assert client.post("/v1/jobs", content=rb"{\u0074", headers=kind).status_code == 400
    assert client.post("/v1/jobs", json={"reviews": [{"text": TEXT}] * 17}).status_code == 202


def test_a_lane_accepts_jobs_again_when_its_queue_is_short(
    client: httpx.Client, pace: Callable[[float], None], engine: Engine, drain: Callable[[], None]
) -> None:
    job_id = steps.submit(engine, 1, lane=Lane.INTERACTIVE, tokens=80)
    pace(100)
    assert client.post("/v1/jobs", json=JOB, headers={"idempotency-key": "k"}).status_code == FULL
    steps.stop(engine, job_id)
    # The refusal was not stored with the key.
    wait_until(lambda: client.post("/v1/jobs", json=JOB, headers={"idempotency-key": "k"}).status_code == 202)
    drain()
    assert client.post("/v1/jobs", json=JOB, headers={"idempotency-key": "k", "prefer": "wait=10"}).status_code == 200


def test_processes_count_the_jobs_that_others_accepted(
    client: httpx.Client, other: httpx.Client, engine: Engine, pace: Callable[[float], None]
) -> None:
    pace(100)
    both = [client, other] * 12
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: one.post("/v1/jobs", json=JOB).status_code, both))
    # Each job takes 40 ms. The burst limit of 480 ms accepts those with 0, 40, 80, … 480 ms before them.
    assert answers.count(202) == len(steps.rows(engine, "SELECT FROM jobs")) == 13
    assert answers.count(FULL) == len(both) - 13


def test_a_repeated_key_returns_its_job_though_the_lane_is_full(
    client: httpx.Client, other: httpx.Client, pace: Callable[[float], None]
) -> None:
    pace(1)
    replayed = metric("verdict_cache_hits_total", kind="replayed")
    key = {"idempotency-key": "k"}
    taken = client.post("/v1/jobs", json=JOB, headers=key)
    again = other.post("/v1/jobs", json=JOB, headers=key)
    assert (taken.status_code, again.status_code, taken.json()["id"]) == (202, 202, again.json()["id"])
    assert metric("verdict_cache_hits_total", kind="replayed") == replayed + 1


def test_every_job_is_accepted_while_the_pace_is_unknown(client: httpx.Client) -> None:
    assert [client.post("/v1/jobs", json=JOB).status_code for _ in range(5)] == [202] * 5


def csv(rows: int, length: int = 10) -> dict[str, Any]:
    lines = [f"{'x' * length} {row}" for row in range(rows)]
    return {"content": "\n".join(["text", *lines]).encode(), "headers": {"content-type": "text/csv"}}


def test_a_file_is_refused_like_any_job_and_stores_nothing(
    client: httpx.Client, engine: Engine, pace: Callable[[float], None]
) -> None:
    pace(1)
    assert client.post("/v1/jobs", **csv(2)).status_code == 202
    assert says_when_to_retry(client.post("/v1/jobs", **csv(2)))
    assert client.post("/v1/jobs", **csv(20)).status_code == 202  # bulk jobs may wait for hours
    assert [row.total for row in steps.rows(engine, "SELECT total FROM jobs ORDER BY id")] == [2, 20]


def test_a_large_file_is_not_read_while_the_bulk_lane_is_full(
    database: DatabaseSettings, queue: QueueSettings, pace: Callable[[float], None]
) -> None:
    pace(0.001)
    settings = ApiSettings(max_review_chars=20)
    with serving(settings, database, queue) as url, httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client:
        assert client.post("/v1/jobs", **csv(20)).status_code == 202
        assert says_when_to_retry(client.post("/v1/jobs", **csv(40)))
        nonsense: dict[str, Any] = {"content": b"\0" * 400, "headers": {"content-type": "text/csv"}}
        assert says_when_to_retry(client.post("/v1/jobs", **nonsense))


def test_metrics_count_submitted_jobs_rows_duplicates_and_failures(client: httpx.Client) -> None:
    def counts() -> list[float]:
        return [
            metric("verdict_jobs_submitted_total", model=MODEL, lane="interactive"),
            metric("verdict_rows_submitted_total", model=MODEL, lane="interactive"),
            metric("verdict_cache_hits_total", kind="duplicate"),
            metric("verdict_results_total", lane="interactive", status="failed", reason="empty_text"),
        ]

    before = counts()
    client.post("/v1/jobs", json={"reviews": [{"text": TEXT}] * 3 + [{"text": "dull"}]})
    file = b"id,text\n1,fine\n2,\n3,fine\n4, \n"
    assert client.post("/v1/jobs", content=file, headers={"content-type": "text/csv"}).status_code == 202
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [2, 8, 3, 2]


def test_the_api_refuses_jobs_that_would_wait_for_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    admission = AdmissionControl(ApiSettings(admit_interactive_seconds=0.1), threads=1)
    with admission.submitting(4):
        now[0] += 2.0
    with admission.submitting(4):
        admission.check(INTERACTIVE, 4)  # the only thread is in use, but no submission waits for it
        with admission.submitting(4), pytest.raises(Overloaded) as refused:
            admission.check(INTERACTIVE, 4)
        admission.check(INTERACTIVE, 4)
    assert int(refused.value.headers["Retry-After"]) >= 1


def test_the_limit_is_higher_until_a_caller_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    admission = AdmissionControl(ApiSettings(admit_interactive_seconds=0.2, admit_bulk_seconds=60), threads=1)
    assert admission.limit(INTERACTIVE) == pytest.approx(0.8)
    assert admission.limit(BULK) == 60
    with pytest.raises(Overloaded), admission.refusing_if_full(4):
        raise LaneFull(INTERACTIVE, Ahead(61, 100))
    now[0] += QUIET_SECONDS
    assert admission.limit(INTERACTIVE) == 0.2
    now[0] += 0.1
    assert admission.limit(INTERACTIVE) == pytest.approx(0.8)


def test_a_full_lane_is_checked_again_when_it_may_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    admission = AdmissionControl(ApiSettings(admit_interactive_seconds=0.2), threads=1)
    with pytest.raises(Overloaded), admission.refusing_if_full(4):
        raise LaneFull(INTERACTIVE, Ahead(50, 100))
    now[0] += 0.29
    with pytest.raises(Overloaded):
        admission.check(INTERACTIVE, 4)
    admission.check(BULK, 4)
    now[0] += 0.02
    admission.check(INTERACTIVE, 4)
