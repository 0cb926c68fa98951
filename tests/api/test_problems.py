"""Every error that OpenAPI lists for an operation really occurs: one request for each provokes it.

The opposite, that no other error occurs, is checked in every test of this folder (conftest.py).
"""

import gzip
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from db import exports
from db.engine import Engine, transaction
from db.models import Lane
from local import embedded
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.api.test_uploads import TABLE, copying, open_upload
from tests.conftest import WAIT_SECONDS, serving, wait_until
from tests.db import steps

Operation: TypeAlias = tuple[str, str]
Documented: TypeAlias = dict[Operation, set[tuple[int, str]]]

UNKNOWN = "0199aaaa-0000-7000-8000-000000000000"
JOB = {"reviews": [{"text": "a film"}]}
JSON = {"content-type": "application/json"}
SUBMIT, CLASSIFY = ("POST", "/v1/jobs"), ("POST", "/v1/classify")
FEEDBACK, RESULTS = ("POST", "/v1/reviews/{review_id}/feedback"), ("GET", "/v1/jobs/{job_id}/results")
METRICS, READINESS = ("GET", "/metrics"), ("GET", "/readyz")
CHANGES = [("POST", f"/v1/jobs/{{job_id}}/{verb}") for verb in ("pause", "resume", "cancel", "retry")]
BODIES: dict[Operation, dict[str, Any]] = {
    SUBMIT: JOB,
    CLASSIFY: {"review_text": "a film"},
    FEEDBACK: {"sentiment": "positive"},
}
#: A file, and its options, for each error of a file.
FILES: dict[str, tuple[bytes, dict[str, str]]] = {
    "not-text": (b"<!doctype html><p>Sign in", {}),
    "corrupt-archive": (gzip.compress(TABLE)[:-4], {}),
    "unknown-charset": (TABLE, {"encoding": "klingon"}),
    "wrong-encoding": (b"review\nfine\n\xff\n", {"encoding": "utf-8", "encoding_errors": "strict"}),
    "empty-file": (b"", {}),
    "no-rows": (b"review\n", {}),
    "unknown-delimiter": (TABLE, {"delimiter": "x"}),
    "wrong-option": (TABLE, {"header": "first"}),
    "unsure-header": (b"name,notes\nx,y\nid,review\n1,Bad.\n", {}),
    "no-label-column": (b"review\nfine\n", {"labels": "1:negative"}),
    "wrong-labels": (TABLE, {"labels": "negative"}),
    "too-many-columns": (b",".join(b"c%d" % number for number in range(1_001)) + b"\n", {}),
    "no-text-column": (b"name,stars\na,5\n", {}),
    "no-such-column": (TABLE, {"text_column": "text"}),
    "ambiguous-column": (b"review,review\nfine,bad\n", {}),
    "record-too-long": (b'"' + b"a" * 5_000_000, {"format": "ndjson"}),
    "unclosed-quote": (b'review\n"never closed', {}),
    "not-ndjson": (b"[1, 2\n", {"format": "ndjson"}),
    "file-too-large": (b"review\n" + b"a\n" * 101, {}),
}


class Provoked:
    """The errors that were provoked so far, by operation."""

    def __init__(self) -> None:
        self.errors: defaultdict[Operation, set[tuple[int, str]]] = defaultdict(set)

    def send(self, client: httpx.Client, operation: Operation, id_: str = UNKNOWN, **options: Any) -> httpx.Response:
        """Send a request for an operation, by default a valid one, and note its error."""
        method, path = operation
        if operation in BODIES and not {"json", "content", "files"} & options.keys():
            options["json"] = BODIES[operation]
        answer = client.request(method, path.format(job_id=id_, review_id=id_), **options)
        if answer.headers.get("content-type") == "application/problem+json":
            self.note(operation, answer.status_code, answer.json()["type"])
        return answer

    def note(self, operation: Operation, status: int, type_: str) -> None:
        self.errors[operation].add((status, type_.removeprefix("urn:verdict:")))


@contextmanager
def api(database: DatabaseSettings, queue: QueueSettings, **settings: Any) -> Iterator[httpx.Client]:
    """Start an API with given settings."""
    with (
        serving(ApiSettings(**settings), database, queue) as url,
        httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client,
    ):
        yield client


def by_security(client: httpx.Client, provoked: Provoked, operations: Documented) -> None:
    refused = [
        {"host": "a b"},
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"x-forwarded-prefix": "x"},
    ]
    for operation in operations:
        for headers in refused:
            provoked.send(client, operation, headers=headers)


def by_wrong_values(client: httpx.Client, provoked: Provoked, operations: Documented) -> None:
    for operation in operations:
        if "{" in operation[1]:
            provoked.send(client, operation)  # unknown
            provoked.send(client, operation, "x")
    for path in ("/v1/jobs?limit=0", "/v1/sla?window=0m", f"/readyz?model={'x' * 101}"):
        answer = client.get(path)
        provoked.note(("GET", path.partition("?")[0]), answer.status_code, answer.json()["type"])
    for operation in BODIES:
        for content in (b"{", b"{}", b" " * 2_000):
            provoked.send(client, operation, content=content, headers=JSON)
        provoked.send(client, operation, content=b"{}", headers={"content-type": "image/png"})


def by_keys(client: httpx.Client, provoked: Provoked, review: str) -> None:
    for place, operation in enumerate(CHANGES):
        job = client.post("/v1/jobs", json=JOB).json()["id"]
        key = {"idempotency-key": f"{place}"}
        for content in (b"1", b"2", b"x" * 2_000):
            provoked.send(client, operation, job, content=content, headers=key)
    for operation in (SUBMIT, CLASSIFY, FEEDBACK):
        body = BODIES[operation]
        key = {"idempotency-key": operation[1]}
        for sent in (body, {name: "positive" if value == "negative" else value for name, value in body.items()}):
            provoked.send(client, operation, review, json=sent, headers=key)
        other = {"reviews": [{"text": "another"}]} if operation == SUBMIT else dict.fromkeys(body, "negative")
        provoked.send(client, operation, review, json=other, headers=key)


def by_states(
    client: httpx.Client, provoked: Provoked, engine: Engine, model_id: int, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Provoke errors of states; return the id of a review that has a result."""
    cancelled = client.post("/v1/jobs", json=JOB).json()["id"]
    client.post(f"/v1/jobs/{cancelled}/cancel")
    for operation in CHANGES:
        provoked.send(client, operation, cancelled)
    queued = client.post("/v1/jobs", json=JOB).json()
    provoked.send(client, FEEDBACK, queued["results"][0]["review_id"])
    steps.complete_all(engine, steps.must_claim(engine, lane=Lane.INTERACTIVE), model_id)
    stream = {"params": {"format": "csv"}}
    provoked.send(client, RESULTS, queued["id"], headers={"accept": "image/png"})
    provoked.send(client, RESULTS, queued["id"], headers={"range": "bytes=100000-"}, **stream)

    page_end = exports.page_end

    def after_a_retry(connection: Any, job_id: Any, after: int) -> int | None:
        steps.run(engine, "UPDATE jobs SET finished_at = finished_at + interval '1 s'")
        return page_end(connection, job_id, after)

    with monkeypatch.context() as during:
        during.setattr(exports, "page_end", after_a_retry)
        other = {"params": {"format": "csv", "formulas": "keep"}}  # not indexed yet
        provoked.send(client, RESULTS, queued["id"], headers={"range": "bytes=-1"}, **other)
    review: str = queued["results"][0]["review_id"]
    return review


def by_deletion(client: httpx.Client, provoked: Provoked) -> None:
    """Delete the job of a caller that waits for it."""
    for job in client.get("/v1/jobs").json()["data"]:
        client.delete(job["urls"]["self"])
    for operation in (SUBMIT, CLASSIFY):
        options = {"headers": {"prefer": "wait=10"}}
        waiting = threading.Thread(target=provoked.send, args=(client, operation), kwargs=options)
        waiting.start()
        [job] = wait_until(lambda: client.get("/v1/jobs").json()["data"])
        assert client.delete(job["urls"]["self"]).status_code == 204
        waiting.join()


def by_load(client: httpx.Client, provoked: Provoked, engine: Engine) -> None:
    client.post("/v1/jobs", json=JOB)
    steps.run(engine, "UPDATE workers SET tokens_per_second = 0.001")
    for operation in (SUBMIT, CLASSIFY):
        provoked.send(client, operation)
    steps.run(engine, "UPDATE workers SET tokens_per_second = NULL")


def by_files(client: httpx.Client, provoked: Provoked) -> None:
    for name, (content, params) in FILES.items():
        answer = provoked.send(client, SUBMIT, content=content, params=params, headers={"content-type": "text/csv"})
        assert answer.json()["type"] == f"urn:verdict:{name}", (name, answer.json())
    provoked.send(client, SUBMIT, files={"model": (None, b"x")})


def by_slow_files(client: httpx.Client, provoked: Provoked, engine: Engine) -> None:
    with open_upload(client, more=1) as connection:
        wait_until(lambda: copying(engine) == 1)
        provoked.send(client, SUBMIT, content=TABLE, headers={"content-type": "text/csv"})
        answer = httpx.Response(408, content=received(connection).partition(b"\r\n\r\n")[2])
        provoked.note(SUBMIT, answer.json()["status"], answer.json()["type"])


def received(connection: socket.socket) -> bytes:
    """Read an answer up to the end of its JSON."""
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65536)
    return answer


def by_failure(client: httpx.Client, provoked: Provoked, engine: Engine, model_id: int) -> None:
    """Let the model fail on the review of a caller that waits for it."""
    steps.run(engine, "DELETE FROM jobs")
    waiting = threading.Thread(target=provoked.send, args=(client, CLASSIFY))
    waiting.start()
    claimed = wait_until(lambda: steps.claim(engine, lane=Lane.INTERACTIVE))
    assert claimed
    steps.complete(engine, claimed.token, model_id, [steps.broken(each) for each in claimed.reviews], last=True)
    waiting.join()


def without_workers(client: httpx.Client, provoked: Provoked, engine: Engine) -> None:
    for statement in ("DELETE FROM workers", "DELETE FROM models"):
        steps.run(engine, statement)
        for operation in (SUBMIT, CLASSIFY):
            provoked.send(client, operation, json=BODIES[operation] | {"model": "default"})


def by_faults(client: httpx.Client, provoked: Provoked, operations: Documented, engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("ALTER SCHEMA public RENAME TO hidden"))
    with capture_logs():  # a traceback on the console takes seconds
        for operation in operations:
            provoked.send(client, operation)
    with transaction(engine) as connection:
        connection.execute(text("ALTER SCHEMA hidden RENAME TO public"))


def test_every_documented_error_occurs(  # noqa: PLR0917  fixtures
    documented: Documented,
    database: DatabaseSettings,
    queue: QueueSettings,
    engine: Engine,
    model_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provoked = Provoked()
    with api(database, queue, max_body_bytes=1_000, max_wait_seconds=0.2) as client:
        by_security(client, provoked, documented)
        by_wrong_values(client, provoked, documented)
        by_keys(client, provoked, by_states(client, provoked, engine, model_id, monkeypatch))
        by_load(client, provoked, engine)
    with api(database, queue, uploads_at_once=1, upload_idle_seconds=2) as client:
        by_slow_files(client, provoked, engine)
    with api(database, queue, max_upload_rows=100) as client:
        by_files(client, provoked)
        by_deletion(client, provoked)
        by_faults(client, provoked, documented, engine)
        with monkeypatch.context() as broken, capture_logs():
            broken.setattr("api.routes.health.gauges.refresh", lambda *_: 1 / 0)
            provoked.send(client, METRICS)
            broken.setattr("api.routes.health.newest", lambda: 1 / 0)
            provoked.send(client, READINESS)
        by_failure(client, provoked, engine, model_id)
    with api(database, queue) as client:
        without_workers(client, provoked, engine)
    nowhere = DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing")
    with api(nowhere, queue) as client:
        for operation in documented:
            provoked.send(client, operation)
    missing = {each: errors - provoked.errors[each] for each, errors in documented.items() if errors}
    assert {each: errors for each, errors in missing.items() if errors} == {}
