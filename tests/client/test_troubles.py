"""A service that is away, busy or broken, or another server: retries, and the final error."""

import json
import time
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from tests.client.conftest import Ask
from tests.client.wire import PROBLEM, answer, scripted
from verdict import AsyncClient, Client, Job, NotConnected, NotVerdict, Refused, ServiceUnreachable, WrongAddress
from verdict.errors import unreachable

JOB: dict[str, Any] = {
    "id": "0199",
    "status": "succeeded",
    "lane": "bulk",
    "model": "default",
    "metadata": {},
    "counts": {"total": 1, "queued": 0, "processing": 0, "succeeded": 1, "failed": 0, "cancelled": 0},
    "progress": 1.0,
    "created_at": "2026-11-21T12:00:00Z",
    "started_at": None,
    "finished_at": None,
    "deadline_at": None,
    "timings_ms": {"queued": None, "total": None},
    "urls": {},
    "results": None,
}
DONE = answer(202, json.dumps(JOB))
LOST = b""


def busy(status: int = 503, **headers: str) -> bytes:
    return answer(status, '{"title": "Busy", "detail": "later"}', content_type=PROBLEM, **headers)


def keys(asked: list[Any]) -> set[str]:
    return {each.headers["idempotency-key"] for each in asked}


def test_a_submit_whose_answer_was_lost_is_sent_again_under_its_key(ask: Ask) -> None:
    with scripted(LOST, DONE) as (url, asked):
        assert ask(url, "submit", ["good"]).id == "0199"
    assert len(asked) == 2
    assert len(keys(asked)) == 1


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_busy_service_is_retried(ask: Ask, status: int) -> None:
    with scripted(busy(status), busy(status), DONE) as (url, asked):
        assert ask(url, "submit", ["good"]).id == "0199"
    assert len(asked) == 3
    assert len(keys(asked)) == 1


@pytest.mark.parametrize("after", ["1", pytest.param(formatdate(usegmt=True), id="now"), "nonsense", "-5", "²"])
def test_any_retry_after_is_understood(ask: Ask, after: str) -> None:
    with scripted(busy(retry_after=after), DONE) as (url, asked):
        assert ask(url, "submit", ["good"]).id == "0199"
    assert len(asked) == 2


def test_a_pause_longer_than_the_budget_is_not_started(ask: Ask) -> None:
    with (
        scripted(busy(429, retry_after="3600")) as (url, asked),
        pytest.raises(Refused, match="Busy: later") as refused,
    ):
        ask(url, "submit", ["good"])
    assert refused.value.retry_after == 3600
    assert len(asked) == 1


def test_retries_end_with_the_budget(ask: Ask) -> None:
    with scripted(LOST) as (url, asked), pytest.raises(ServiceUnreachable, match="broke"):
        ask(url, "submit", ["good"], retry_seconds=0.5)
    assert len(asked) == 3  # pauses of 0.1 s and 0.2 s; the next of 0.4 s exceeds the budget


def test_a_refusal_is_not_retried(ask: Ask) -> None:
    with scripted(busy(422)) as (url, asked), pytest.raises(Refused):
        ask(url, "submit", ["good"])
    assert len(asked) == 1


def test_a_refused_connection_is_raised_at_once(ask: Ask) -> None:
    with scripted(DONE) as (url, _):
        pass
    with pytest.raises(NotConnected, match=f"nothing answers at {url}"):
        ask(url, "submit", ["good"], retry_seconds=3600)


def test_a_refused_connection_during_a_wait_is_retried(ask: Ask) -> None:
    with scripted(DONE) as (url, _):
        pass
    running = Job.model_validate(JOB | {"status": "processing"})
    began = time.monotonic()
    with pytest.raises(NotConnected):
        ask(url, "wait", running, retry_seconds=0.2)
    assert time.monotonic() - began >= 0.1  # the first pause


@pytest.mark.parametrize(
    "body",
    ["<html>It works!</html>", "[]", '{"id": 1}', '{"detail": "Not Found"}', "\udcff".encode("latin-1", "replace")],
)
@pytest.mark.parametrize("status", [200, 301, 404])
def test_another_server_is_recognised(ask: Ask, status: int, body: str) -> None:
    with scripted(answer(status, body)) as (url, _), pytest.raises(NotVerdict, match=f"answered {status}"):
        ask(url, "job", "0199")


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:8000", "http://a:b", "ftp://host", "http://", "http://[::"]
)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_malformed_url_is_refused(client: type[Client | AsyncClient], address: str) -> None:
    with pytest.raises(WrongAddress, match="is not an address"):
        client(address)


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(DONE) as (url, asked):
        monkeypatch.setenv("VERDICT_URL", url)
        with Client() as client:
            assert client.job("0199").status == "succeeded"
    assert asked[0].line == "GET /v1/jobs/0199 HTTP/1.1"


def test_fields_that_a_newer_service_adds_are_kept() -> None:
    counts = JOB["counts"] | {"shed": 3}
    job = Job.model_validate(JOB | {"mood": "good", "counts": counts})
    assert job.model_dump()["mood"] == "good"
    assert job.model_dump()["counts"]["shed"] == 3


def kinds(base: type[Exception]) -> list[type[Exception]]:
    return [base, *(each for direct in base.__subclasses__() for each in kinds(direct))]


@pytest.mark.parametrize("kind", [each for each in kinds(httpx.RequestError) if each.__module__ == "httpx"])
def test_every_error_of_httpx_is_translated(kind: type[httpx.RequestError]) -> None:
    error = kind("it broke")
    ours = unreachable(error, "http://there")
    assert "http://there" in str(ours)
    assert ours.__cause__ is error
    assert isinstance(ours, NotConnected) == issubclass(kind, (httpx.ConnectError, httpx.ConnectTimeout))
