"""HEAD: wherever there is a GET, the same status and headers without a body, and no stream is made."""

from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from api import formats, openapi
from api.routes import events
from db.engine import Engine
from tests.api import steps
from tests.conftest import wait_until
from tests.db.steps import rows

CHANGING = {"date", "x-request-id", "content-length", "transfer-encoding"}


def compared(answer: httpx.Response) -> tuple[int, dict[str, str]]:
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in CHANGING}


@pytest.mark.usefixtures("worker")
def test_every_get_answers_head(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "READ_SECONDS", 0.02)
    job = steps.post(client, "a film")
    paths = [path.format(job_id=job["id"]) for path, item in openapi.document()["paths"].items() if "get" in item]
    assert len(paths) >= 9
    for path in [*paths, "/", "/docs", "/web/app.js", "/openapi.json", "/runbook", "/v1/jobs/x", "/nothing"]:
        head, get = client.head(path), client.get(path)
        assert head.content == b""
        if path != "/metrics":  # its length changes
            assert head.headers.get("content-length") == get.headers.get("content-length"), path
        assert compared(head) == compared(get), path


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("form", steps.STREAMS)
def test_head_of_a_download_makes_none_of_it(client: httpx.Client, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    job = steps.post(client, "a film")
    get = steps.get(client, job, form)
    written: list[Any] = []
    monkeypatch.setattr(formats, "read_only", written.append)
    head = client.head(job["urls"]["results"], params={"format": form}, headers={"range": "bytes=1-2"})
    assert compared(head) == compared(get)
    assert written == []


def test_head_of_an_event_stream_ends_at_once(client: httpx.Client) -> None:
    job = steps.post(client, "a film", wait=0)
    answer = client.head(job["urls"]["events"], timeout=5)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/jobs/0199aaaa-0000-7000-8000-000000000000/cancel"])
def test_head_is_not_allowed_without_a_get(client: httpx.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_the_request_log_names_head(client: httpx.Client, engine: Engine) -> None:
    client.head("/v1/jobs")
    [row] = wait_until(lambda: rows(engine, "SELECT * FROM request_log"))
    assert (row.method, row.route, row.status, row.response_bytes) == ("HEAD", "/v1/jobs", 200, 0)


def test_an_unexpected_error_is_answered_without_a_body(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.health.gauges.refresh", lambda *_: 1 / 0)
    with capture_logs():  # a traceback on the console takes seconds
        answer = client.head("/metrics")
    assert (answer.status_code, answer.content) == (500, b"")
