"""Files as jobs: every row is stored as it was sent, and a refused file stores nothing."""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from db.engine import Engine
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import serving, wait_until
from tests.db import steps

CSV = {"content-type": "text/csv"}
NDJSON = {"content-type": "application/x-ndjson"}
TABLE = b'review,sentiment\r\n"A fine, warm\nfilm.",positive\r\n"So ""bad"".",negative\r\nDull.,negative\r\n'


def stored(engine: Engine) -> list[Any]:
    """Return the rows of the only job."""
    return steps.rows(engine, "SELECT * FROM job_rows ORDER BY index")


def nothing_was_stored(engine: Engine) -> None:
    for table in ("jobs", "reviews", "job_rows", "idempotency_keys"):
        assert steps.rows(engine, f"SELECT * FROM {table}") == []  # noqa: S608  a table's name


def submit(client: httpx.Client, content: bytes, headers: dict[str, str] = CSV, **params: Any) -> Any:
    answer = client.post("/v1/jobs", content=content, headers=headers, params=params)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["urls"]["self"]
    return answer.json()


def test_the_rows_of_a_csv_file_are_stored_as_they_were(client: httpx.Client, engine: Engine) -> None:
    job = submit(client, TABLE)
    assert (job["status"], job["counts"]["total"], job["counts"]["queued"]) == ("queued", 3, 3)
    assert [(row.index, row.line, row.text, row.label, row.others) for row in stored(engine)] == [
        (0, 2, "A fine, warm\nfilm.", "positive", ["positive"]),
        (1, 4, 'So "bad".', "negative", ["negative"]),
        (2, 5, "Dull.", "negative", ["negative"]),
    ]


@pytest.mark.usefixtures("worker")
def test_a_file_can_be_waited_for(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", content=TABLE, headers=CSV | {"prefer": "wait=10"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=10")
    assert [result["status"] for result in answer.json()["results"]] == ["succeeded"] * 3


@pytest.mark.usefixtures("worker")
def test_identical_texts_are_one_review_with_one_result(client: httpx.Client, engine: Engine) -> None:
    job = submit(client, b"id,review\na,same\nb,other\nc,same\n")
    job = client.get(job["urls"]["self"], params={"wait": 10}).json()
    assert (job["status"], job["counts"]["succeeded"]) == ("succeeded", 3)
    first, other, second = job["results"]
    assert first["review_id"] == second["review_id"] != other["review_id"]
    assert [first["id"], other["id"], second["id"]] == ["a", "b", "c"]
    assert steps.rows(engine, "SELECT copies FROM reviews ORDER BY index") == [(2,), (1,)]


def test_a_review_of_a_file_has_a_version_7_id_of_its_job_s_time(client: httpx.Client, engine: Engine) -> None:
    submit(client, TABLE)
    for row in steps.rows(engine, "SELECT id, job_id FROM reviews"):
        assert (row.id.version, row.id.variant) == (7, row.job_id.variant)
        assert row.id.bytes[:6] == row.job_id.bytes[:6]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        pytest.param(gzip.compress(TABLE), CSV | {"content-encoding": "gzip"}, id="content-encoding"),
        pytest.param(gzip.compress(TABLE), CSV, id="not said"),
        pytest.param(TABLE.decode().encode("utf-16"), CSV, id="utf-16"),
        pytest.param(b"\xef\xbb\xbf" + TABLE, {"content-type": "Text/CSV; charset=utf-8; header=present"}, id="bom"),
        pytest.param(TABLE.replace(b",", b"\t").replace(b"fine\t", b"fine,"), CSV, id="tabs"),
    ],
)
def test_a_csv_file_can_be_sent_in_many_ways(
    client: httpx.Client, engine: Engine, content: bytes, headers: dict[str, str]
) -> None:
    submit(client, content, headers)
    assert [row.text for row in stored(engine)] == ["A fine, warm\nfilm.", 'So "bad".', "Dull."]


def test_a_compressed_file_says_its_format(client: httpx.Client, engine: Engine) -> None:
    lines = b'{"text": "Fine.", "id": 7, "label": "positive"}\n"Dull."\n'
    submit(client, gzip.compress(lines), {"content-type": "application/gzip"}, format="ndjson")
    assert [(row.text, row.caller_id, row.label) for row in stored(engine)] == [
        ("Fine.", "7", "positive"),
        ("Dull.", None, None),
    ]


def test_without_a_format_a_compressed_file_is_refused(client: httpx.Client, engine: Engine) -> None:
    answer = client.post("/v1/jobs", content=gzip.compress(TABLE), headers={"content-type": "application/gzip"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/format")
    nothing_was_stored(engine)


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/x-www-form-urlencoded"}, {"content-type": "application/json"}]
)
@pytest.mark.parametrize(
    ("form", "content"), [("csv", TABLE), ("csv", gzip.compress(TABLE, mtime=0)), ("ndjson", b'"Dull."\n')]
)
def test_with_a_format_a_file_may_have_any_media_type(
    client: httpx.Client, engine: Engine, headers: dict[str, str], form: str, content: bytes
) -> None:
    submit(client, content, headers, format=form)
    assert stored(engine)[-1].text == "Dull."


@pytest.mark.parametrize("form", ["", "json", "xlsx"])
def test_an_unknown_format_is_refused(client: httpx.Client, form: str) -> None:
    answer = client.post("/v1/jobs", content=TABLE, params={"format": form})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/format")


def test_a_form_with_a_format_is_still_a_form(client: httpx.Client, engine: Engine) -> None:
    answer = client.post("/v1/jobs", files={"file": ("reviews", TABLE)}, params={"format": "csv"})
    assert answer.status_code == 202, answer.text
    assert len(stored(engine)) == 3


@pytest.mark.parametrize("part", ["upload", "reviews", "model", ""])
def test_the_file_of_a_form_may_have_any_name(client: httpx.Client, engine: Engine, part: str) -> None:
    parts: list[Any] = [("label_column", (None, b"sentiment")), (part, ("reviews.csv", TABLE))]
    answer = client.post("/v1/jobs", files=parts)
    assert answer.status_code == 202, answer.text
    assert [row.label for row in stored(engine)] == ["positive", "negative", "negative"]


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.CSV.gz", "reviews.txt"])
def test_a_form_with_a_file_is_a_job(client: httpx.Client, engine: Engine, name: str) -> None:
    content = gzip.compress(TABLE) if name.endswith("gz") else TABLE
    files = {"file": (name, content, "application/octet-stream")}
    answer = client.post("/v1/jobs", files=files, data={"label_column": "sentiment"})
    assert answer.status_code == 202, answer.text
    assert [row.label for row in stored(engine)] == ["positive", "negative", "negative"]


@pytest.mark.parametrize(
    ("parts", "status", "kind"),
    [
        pytest.param([("other", (None, b"x"))], 400, "invalid-upload", id="no file"),
        pytest.param([("a", ("a.csv", TABLE)), ("b", ("b.csv", TABLE))], 400, "invalid-upload", id="two files"),
        pytest.param([("file", ("a.csv", TABLE)), ("model", (None, b"x"))], 400, "invalid-upload", id="field behind"),
        pytest.param([("colour", (None, b"x")), ("file", ("a.csv", TABLE))], 422, "invalid-request", id="field"),
        pytest.param([("model", (None, b"x")), ("file", ("a.csv", TABLE))], 422, "invalid-request", id="model"),
        pytest.param([("file", ("a.doc", TABLE))], 422, "invalid-request", id="name"),
        pytest.param([("model", (None, b"x" * 2000)), ("file", ("a.csv", TABLE))], 422, "invalid-request", id="long"),
    ],
)
def test_a_form_that_is_not_understood_is_refused(
    client: httpx.Client, engine: Engine, parts: list[Any], status: int, kind: str
) -> None:
    answer = client.post("/v1/jobs", files=parts)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:verdict:{kind}"), answer.text
    nothing_was_stored(engine)


@pytest.mark.parametrize(
    ("content", "kind", "word"),
    [
        pytest.param(b"", "empty-file", "empty", id="empty"),
        pytest.param(b"review,sentiment\n", "no-rows", "row", id="header alone"),
        pytest.param(b"name,stars\na,5\n", "no-text-column", '"stars"', id="no text column"),
        pytest.param(b"PK\x03\x04" + bytes(100), "corrupt-archive", "ZIP", id="cut workbook"),
        pytest.param(b'review\n"never closed\nand on', "unclosed-quote", "line 2", id="unclosed quote"),
        pytest.param(b"review\n\xf0\xcc\xcf\xc8\xcf\n", "wrong-encoding", "Line 2", id="encoding"),
        pytest.param(gzip.compress(TABLE)[:-4], "corrupt-archive", "gzip", id="cut gzip"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_reason(
    client: httpx.Client, engine: Engine, content: bytes, kind: str, word: str
) -> None:
    answer = client.post("/v1/jobs", content=content, headers=CSV)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, f"urn:verdict:{kind}"), problem
    assert word in problem["detail"]
    nothing_was_stored(engine)


@pytest.mark.usefixtures("worker")
def test_a_row_without_a_usable_text_fails_alone(client: httpx.Client) -> None:
    job = submit(client, b"review,stars\nGood.,5\n,1\nBad.,1,2,3\nFine.,4\n")
    job = client.get(job["urls"]["self"], params={"wait": 10}).json()
    assert (job["status"], job["counts"]["succeeded"], job["counts"]["failed"]) == ("succeeded", 2, 2)
    failed = [(each["line"], each["error"]["code"]) for each in job["results"] if each["status"] == "failed"]
    assert failed == [(3, "empty_text"), (4, "too_many_fields")]


def test_a_file_with_only_bad_rows_fails_at_once(client: httpx.Client) -> None:
    job = submit(client, b"review,stars\n,1\n  ,2\n")
    assert (job["status"], job["counts"]["failed"]) == ("failed", 2)
    assert job["finished_at"]


def test_an_error_in_the_last_bytes_refuses_the_whole_file(client: httpx.Client, engine: Engine) -> None:
    rows = b"".join(b"%d,a review\n" % number for number in range(50_000))
    answer = client.post("/v1/jobs", content=b"id,review\n" + rows + b'1,"open', headers=CSV)
    assert answer.json()["type"] == "urn:verdict:unclosed-quote"
    nothing_was_stored(engine)


def test_the_same_file_with_the_same_key_is_stored_once(client: httpx.Client, engine: Engine) -> None:
    headers = CSV | {"idempotency-key": "file-1"}
    first, again = (client.post("/v1/jobs", content=TABLE, headers=headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    other = client.post("/v1/jobs", content=TABLE + b"More.,positive\n", headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "urn:verdict:idempotency-key-reused")
    assert len(stored(engine)) == 3


@pytest.fixture
def small(database: DatabaseSettings, queue: QueueSettings, model_id: int) -> Iterator[httpx.Client]:
    """A client of an API with low limits."""
    assert model_id
    settings = ApiSettings(max_upload_bytes=10_000, max_upload_rows=100, uploads_at_once=1, upload_idle_seconds=0.3)
    with serving(settings, database, queue) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"review\n" + b"a\n" * 101, id="rows"),
        pytest.param(b"review\n" + b"a" * 10_000, id="bytes"),
        pytest.param(gzip.compress(b"review\n" + b"a" * 10_000_000), id="decompressed"),
    ],
)
def test_more_than_the_limit_is_too_large(small: httpx.Client, engine: Engine, content: bytes) -> None:
    assert small.post("/v1/jobs", content=content, headers=CSV).status_code == 413
    assert small.post("/v1/jobs", content=iter([content]), headers=CSV).status_code == 413
    nothing_was_stored(engine)


MANY = b"review\n" + b"Good.\n" * 100_000  # more than the API reads before the first row


def open_upload(client: httpx.Client, more: int, content: bytes = MANY) -> socket.socket:
    """Open a connection, and send content with a Content-Length of `more` further bytes."""
    address = urlsplit(str(client.base_url))
    connection = socket.create_connection((address.hostname, address.port), 10)
    length = len(content) + more
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n"
    connection.sendall(head.encode() + b"\r\n" + content)
    return connection


def test_a_stalled_upload_is_ended(small: httpx.Client, engine: Engine) -> None:
    with open_upload(small, more=1, content=TABLE) as connection:
        assert b" 408 " in connection.recv(1000)
    nothing_was_stored(engine)


def copying(engine: Engine) -> int:
    """Count the transactions that are copying a file."""
    [[number]] = steps.rows(
        engine,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND query LIKE '%COPY job_rows%' AND state = 'active'",
    )
    return int(number)


def test_a_broken_connection_stores_nothing(client: httpx.Client, engine: Engine) -> None:
    with open_upload(client, more=1_000_000) as connection:
        wait_until(lambda: copying(engine) == 1)
        connection.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: copying(engine) == 0)
    nothing_was_stored(engine)


def test_simultaneous_uploads_are_limited(
    database: DatabaseSettings, queue: QueueSettings, model_id: int, engine: Engine
) -> None:
    assert model_id
    with (
        serving(ApiSettings(uploads_at_once=1), database, queue) as url,
        httpx.Client(base_url=url) as client,
        open_upload(client, more=1) as connection,
    ):
        wait_until(lambda: copying(engine) == 1)
        refused = client.post("/v1/jobs", content=TABLE, headers=CSV)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        connection.sendall(b"\n")
        assert b"202 Accepted" in connection.recv(1000)
        assert submit(client, TABLE)["counts"]["total"] == 3


def test_an_unknown_option_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", content=TABLE, headers=CSV, params={"colour": "red"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/colour")


def test_another_media_type_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", content=TABLE, headers={"content-type": "application/vnd.ms-excel"})
    assert answer.status_code == 415
    assert client.post("/v1/jobs", content=TABLE, headers=CSV | {"content-encoding": "br"}).status_code == 415


def test_a_file_is_described_in_openapi(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/jobs"]["post"]
    assert {"application/json", "text/csv", "application/x-ndjson", "multipart/form-data"} <= set(
        operation["requestBody"]["content"]
    )
    assert {"text_column", "id_column", "delimiter"} <= {each["name"] for each in operation["parameters"]}
    json.dumps(operation)
