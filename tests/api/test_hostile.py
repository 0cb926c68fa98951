"""Invalid and hostile requests over real HTTP: each has its documented answer and changes nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from settings import ApiSettings
from tests.conftest import own_api
from tests.servers import RunningServer

UNKNOWN = "0199aaaa-0000-7000-8000-000000000000"
FINE = {"reviews": [{"text": "a fine film"}]}
KINDS = {
    400: "urn:verdict:invalid-json",
    404: "urn:verdict:not-found",
    405: "urn:verdict:method-not-allowed",
    413: "urn:verdict:body-too-large",
    415: "urn:verdict:unsupported-media-type",
    422: "urn:verdict:invalid-request",
}
MEMBERS = {"type", "title", "status", "detail", "instance", "request_id", "errors"}


@dataclass(frozen=True, slots=True)
class Api:
    """One API for all tests of this module, and its database."""

    client: httpx.Client
    database_url: str

    def rows(self) -> int:
        """Count the stored jobs, reviews, texts and keys."""
        tables = ("jobs", "reviews", "job_rows", "idempotency_keys")
        with psycopg.connect(self.database_url) as connection:
            counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]  # noqa: S608
        return sum(count[0] for count in counts if count)


@pytest.fixture(scope="module")
def api(postgres: str, template: str, valkey: RunningServer) -> Iterator[Api]:
    with own_api(ApiSettings(max_wait_seconds=0.05), postgres, template, valkey) as (client, database_url):
        yield Api(client, database_url)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A request and its expected answer."""

    name: str
    status: int
    body: bytes | list[bytes] | None = None
    path: str = "/v1/jobs"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    kind: str | None = None
    pointer: str | None = None
    detail: str = ""


def dump(**changes: Any) -> bytes:
    return json.dumps(FINE | changes).encode()


def text(value: str) -> bytes:
    return dump(reviews=[{"text": value}])


def metadata(value: str) -> bytes:
    """Return a body whose metadata is raw JSON."""
    return b'{"reviews":[{"text":"a fine film"}],"metadata":{"a":%s}}' % value.encode()


def get(name: str, status: int, path: str, **expected: Any) -> Hostile:
    return Hostile(name, status, path=path, method="GET", **expected)


ONE = "/v1/jobs/" + UNKNOWN
TEXT = "/reviews/0/text"
HOSTILE = [
    # Empty
    Hostile("empty text", 422, text(""), pointer=TEXT),
    Hostile("text of spaces", 422, text("  \t\r\n "), pointer=TEXT),
    Hostile("text of Unicode spaces", 422, text("\u2003\u00a0\u3000\u2028"), pointer=TEXT),
    Hostile("no text", 422, dump(reviews=[{}]), pointer=TEXT),
    Hostile("no reviews", 422, dump(reviews=[]), pointer="/reviews"),
    Hostile("no member", 422, b"{}", pointer="/reviews"),
    Hostile("empty body", 400, b"", detail="line 1 column 1 (character 0)"),
    # Too large
    Hostile("10 MB", 413, b"x" * 10_000_000, detail="10000000"),
    Hostile("10 MB in chunks", 413, [b"x" * 1_000_000] * 10),
    Hostile("10 MB to the short form", 413, b"x" * 10_000_000, path="/v1/classify"),
    Hostile("501 reviews", 422, dump(reviews=[{"text": "x"}] * 501), pointer="/reviews"),
    Hostile("too long review", 422, text("x" * 100_001), pointer=TEXT),
    Hostile("too long id", 422, dump(reviews=[{"text": "x", "id": "x" * 201}]), pointer="/reviews/0/id"),
    Hostile("too long model", 422, dump(model="x" * 101), pointer="/model"),
    Hostile("too large metadata", 422, dump(metadata={"a": "x" * 16_384}), pointer="/metadata"),
    Hostile("8 MB of empty objects", 422, b'{"reviews":[%s{}]}' % (b"{}," * 2_600_000), pointer=""),
    Hostile("8 MB of zeros", 422, b'{"reviews":[%s0]}' % (b"0," * 3_900_000), pointer=""),
    # Not storable in PostgreSQL
    Hostile("NUL in a text", 422, text("a\0b"), pointer=TEXT),
    Hostile("NUL in an id", 422, dump(reviews=[{"text": "x", "id": "\0"}]), pointer="/reviews/0/id"),
    Hostile("NUL in the model", 422, dump(model="\0"), pointer="/model"),
    Hostile("NUL in a metadata name", 422, dump(metadata={"\0": 1}), pointer="/metadata"),
    Hostile("NUL in a metadata value", 422, dump(metadata={"a": [{"b": "\0"}]}), pointer="/metadata"),
    Hostile("lone surrogate in a text", 422, text("a\ud800b"), pointer=TEXT),
    Hostile("lone surrogate in an id", 422, dump(reviews=[{"text": "x", "id": "\udfff"}]), pointer="/reviews/0/id"),
    Hostile("lone surrogate in the model", 422, dump(model="\ud800"), pointer="/model"),
    Hostile("lone surrogate in a metadata name", 422, dump(metadata={"\ud800": 1}), pointer="/metadata"),
    Hostile("lone surrogate in a metadata value", 422, dump(metadata={"a": {"b": "\ud800"}}), pointer="/metadata"),
    Hostile("lone surrogate in an unknown field", 422, dump(**{"\ud800": 1})),
    # Not JSON in UTF-8
    Hostile("text/plain", 422, dump(), headers={"content-type": "text/plain"}),
    Hostile("form", 415, b"reviews=x", headers={"content-type": "application/x-www-form-urlencoded"}),
    Hostile("no content type", 415, dump(), headers={"content-type": ""}),
    Hostile("content type that only starts right", 415, dump(), headers={"content-type": "application/jsonx"}),
    Hostile("gzip", 415, dump(), headers={"content-encoding": "gzip"}, detail="Content-Encoding"),
    Hostile("broken JSON", 400, b'{"reviews": [{"text" "x"}]}', detail="line 1 column 22 (character 21)"),
    Hostile("broken JSON on line 3", 400, b'{\n"a": 1,\n}', detail="line 3"),
    Hostile("cut JSON", 400, dump()[:-2], detail="character"),
    Hostile("two values", 400, dump() + dump(), detail="Extra data"),
    Hostile("invalid UTF-8", 400, b'{"reviews":[{"text":"\xff"}]}', detail="byte 21"),
    Hostile("UTF-8 of a surrogate", 400, b'{"reviews":[{"text":"\xed\xa0\x80"}]}', detail="byte 21"),
    Hostile("UTF-16 with a mark", 400, dump().decode().encode("utf-16")),
    Hostile("UTF-16 without a mark", 400, dump().decode().encode("utf-16-le")),
    Hostile("NaN", 400, metadata("NaN"), detail="NaN"),
    Hostile("Infinity", 400, metadata("Infinity"), detail="Infinity"),
    Hostile("-Infinity", 400, metadata("-Infinity"), detail="Infinity"),
    Hostile("a number beyond a double", 400, metadata("1e999"), detail="1e999"),
    Hostile("a whole number of 5,000 digits", 400, metadata("9" * 5000)),
    Hostile("a name twice", 400, b'{"reviews":[{"text":"a","text":"b"}]}', detail="twice"),
    Hostile("100,000 levels", 400, metadata("[" * 100_000 + "]" * 100_000), detail="deep"),
    Hostile("300 levels", 422, metadata("[" * 300 + "]" * 300)),
    # Wrong shape
    Hostile("unknown field", 422, dump(x=1), pointer="/x"),
    Hostile("unknown field of a review", 422, dump(reviews=[{"text": "x", "y/~": 1}]), pointer="/reviews/0/y~1~0"),
    Hostile("unknown model", 422, dump(model="gpt"), pointer="/model"),
    Hostile("text is a number", 422, dump(reviews=[{"text": 1}]), pointer=TEXT),
    Hostile("id is a number", 422, dump(reviews=[{"text": "x", "id": 1}]), pointer="/reviews/0/id"),
    Hostile("reviews is an object", 422, dump(reviews={"text": "x"}), pointer="/reviews"),
    Hostile("metadata is a list", 422, dump(metadata=[]), pointer="/metadata"),
    Hostile("deadline is a string", 422, dump(deadline_seconds="5"), pointer="/deadline_seconds"),
    Hostile("deadline is true", 422, dump(deadline_seconds=True), pointer="/deadline_seconds"),
    Hostile("deadline is 0", 422, dump(deadline_seconds=0), pointer="/deadline_seconds"),
    Hostile("deadline is past the year", 422, dump(deadline_seconds=1e12), pointer="/deadline_seconds"),
    Hostile("body is a list", 422, b"[]"),
    Hostile("body is null", 422, b"null"),
    Hostile("body is a string", 422, b'"text"'),
    Hostile("blank text of the short form", 422, b'{"review_text":" "}', "/v1/classify", pointer="/review_text"),
    Hostile(
        "long text of the short form",
        422,
        json.dumps({"review_text": "x" * 100_001}).encode(),
        "/v1/classify",
        pointer="/review_text",
    ),
    # Wrong path or method
    Hostile("PUT of a job", 405, path=ONE, method="PUT"),
    Hostile("PATCH of the jobs", 405, method="PATCH"),
    Hostile("OPTIONS", 405, method="OPTIONS"),
    Hostile("TRACE", 405, method="TRACE"),
    Hostile("DELETE of all jobs", 405, method="DELETE"),
    Hostile("GET of cancel", 405, path=f"{ONE}/cancel", method="GET"),
    get("unknown path", 404, "/v1/nothing"),
    get("trailing slash", 404, "/v1/jobs/"),
    get("path trick", 404, "/v1/jobs/..%2f..%2fetc"),
    get("path that is no UTF-8", 404, "/%ff"),
    get("unknown job", 404, ONE, kind="urn:verdict:unknown-job"),
    get("results of an unknown job", 404, f"{ONE}/results", kind="urn:verdict:unknown-job"),
    get("waiting for an unknown job", 404, f"{ONE}?wait=20", kind="urn:verdict:unknown-job"),
    Hostile("cancel of an unknown job", 404, path=f"{ONE}/cancel", kind="urn:verdict:unknown-job"),
    Hostile(
        "cancel of an unknown job with a key",
        404,
        path=f"{ONE}/cancel",
        headers={"idempotency-key": "k"},
        kind="urn:verdict:unknown-job",
    ),
    Hostile("retry of an unknown job", 404, path=f"{ONE}/retry", kind="urn:verdict:unknown-job"),
    Hostile("DELETE of an unknown job", 404, path=ONE, method="DELETE", kind="urn:verdict:unknown-job"),
    get("an id that is none", 422, "/v1/jobs/1%27%20OR%201=1", pointer="path/job_id"),
    get("an id with a NUL", 422, "/v1/jobs/%00", pointer="path/job_id"),
    # Out of range
    get("limit 0", 422, "/v1/jobs?limit=0", pointer="query/limit"),
    get("limit -1", 422, "/v1/jobs?limit=-1", pointer="query/limit"),
    get("limit 10^9", 422, "/v1/jobs?limit=1000000000", pointer="query/limit"),
    get("limit of 5,000 digits", 422, "/v1/jobs?limit=" + "9" * 5000, pointer="query/limit"),
    get("cursor of jobs", 422, "/v1/jobs?after=x;drop", pointer="query/after"),
    get("cursor of results", 422, f"{ONE}/results?after=-2", pointer="query/after"),
    get("cursor of results beyond its type", 422, f"{ONE}/results?after=2147483648", pointer="query/after"),
    get("status of jobs", 422, "/v1/jobs?status=%00", pointer="query/status"),
    get("status of results", 422, f"{ONE}/results?status=expired", pointer="query/status"),
    get("wait -1", 422, f"{ONE}?wait=-1", pointer="query/wait"),
    get("wait nan", 422, f"{ONE}?wait=nan", pointer="query/wait"),
    get("wait inf", 422, f"{ONE}?wait=inf", pointer="query/wait"),
    get("wait 1e999", 422, f"{ONE}?wait=1e999", pointer="query/wait"),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: each.name)
def test_each_request_has_its_answer_and_changes_nothing(api: Api, hostile: Hostile) -> None:
    headers = {"content-type": "application/json"} | hostile.headers
    before = api.rows()
    answer = api.client.request(hostile.method, hostile.path, content=hostile.body, headers=headers)
    assert answer.status_code == hostile.status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == MEMBERS
    assert problem["type"] == (hostile.kind or KINDS[hostile.status])
    assert (problem["status"], problem["title"]) == (answer.status_code, answer.reason_phrase)
    assert problem["instance"] == httpx.URL(hostile.path).path
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert hostile.detail in problem["detail"]
    assert all(each.keys() == {"pointer", "detail"} and each["detail"] for each in problem["errors"])
    if hostile.pointer is not None:
        assert hostile.pointer in {each["pointer"] for each in problem["errors"]}
    assert api.rows() == before


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/jobs", {"GET", "HEAD", "POST"}),
        (ONE, {"GET", "HEAD", "DELETE"}),
        (f"{ONE}/results", {"GET", "HEAD"}),
        ("/v1/classify", {"POST"}),
        ("/livez", {"GET", "HEAD"}),
    ],
)
def test_405_lists_the_allowed_methods(api: Api, path: str, methods: set[str]) -> None:
    answer = api.client.put(path, json={})
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == methods


def test_an_answer_lists_at_most_100_errors(api: Api) -> None:
    answer = api.client.post("/v1/jobs", json=FINE | {f"field {number}": 0 for number in range(5000)})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100


@pytest.mark.parametrize("sent", ["x" * 129, "with space", "caf\xe9", "tab\tted", ""])
def test_an_odd_request_id_is_replaced(api: Api, sent: str) -> None:
    answer = api.client.get("/livez", headers={b"x-request-id": sent.encode("latin-1")})
    assert len(answer.headers["x-request-id"]) == 36


def test_a_proper_request_id_is_echoed(api: Api) -> None:
    answer = api.client.get("/v1/nothing", headers={"x-request-id": "trace:7/a"})
    assert (answer.headers["x-request-id"], answer.json()["request_id"]) == ("trace:7/a", "trace:7/a")


@pytest.mark.parametrize("host", ["[::1", "a:b:c", "x" * 5000, "\xff"])
def test_an_odd_host_is_refused(api: Api, host: str) -> None:
    answer = api.client.get(ONE, headers={b"host": host.encode("latin-1")})
    assert (answer.status_code, answer.json()["instance"]) == (400, ONE)
    assert answer.json()["type"] == "urn:verdict:invalid-host"


@pytest.mark.parametrize(
    "prefer",
    ["wait=99999999999999999999", "wait=1e308", "wait=nan", "wait=-1", "wait", "wait=" + "9" * 5000, "a;" * 5000],
)
def test_an_odd_preference_never_waits_longer_than_the_limit(api: Api, prefer: str) -> None:
    answer = api.client.post("/v1/jobs", json=FINE, headers={"prefer": prefer}, timeout=5)
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize(
    "value",
    ["a\u0301" * 100, "\u202e\u2066", "\U0001f600" * 100, "\ufffe\uffff", "\x01\x7f\x85", "a\ufeff", "\U000e0001"],
    ids=["combining", "right to left", "emoji", "noncharacters", "control", "mark", "tag"],
)
def test_unusual_but_valid_text_is_taken(api: Api, value: str) -> None:
    answer = api.client.post(
        "/v1/jobs", json={"reviews": [{"text": "x" + value, "id": value}], "metadata": {"m": value}}
    )
    assert answer.status_code == 202
    assert (answer.json()["results"][0]["id"], answer.json()["metadata"]) == (value, {"m": value})


def test_an_unexpected_error_is_a_problem_and_no_text_is_logged(api: Api) -> None:
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE jobs RENAME TO hidden")
        try:
            with capture_logs() as logs:
                answer = api.client.post("/v1/jobs", json={"reviews": [{"text": "a confidential film"}]})
        finally:
            connection.execute("ALTER TABLE hidden RENAME TO jobs")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:verdict:internal-error")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["connection"] == "close"
    [logged] = [entry for entry in logs if entry["event"] == "request_failed"]
    assert "confidential" not in str(logged["exc_info"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
REVIEW = st.fixed_dictionaries({"text": st.text(st.characters(), max_size=20) | JSON}, optional={"id": JSON})
BODY = st.fixed_dictionaries(
    {"reviews": st.lists(REVIEW, max_size=4) | JSON},
    optional={"model": st.just("default") | JSON, "metadata": JSON, "deadline_seconds": JSON, "extra": JSON},
)
bounded = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_taken_or_refused_properly(answer: httpx.Response) -> None:
    assert answer.status_code < 500
    if answer.is_error:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json().keys() == MEMBERS


@bounded
@given(body=BODY | JSON)
def test_no_json_breaks_it(api: Api, body: Any) -> None:
    sent = json.dumps(body).encode()  # with NaN and lone surrogates, as Python writes them
    assert_taken_or_refused_properly(
        api.client.post("/v1/jobs", content=sent, headers={"content-type": "application/json"})
    )


@bounded
@given(body=st.binary(max_size=200) | st.text().map(str.encode))
def test_no_bytes_break_it(api: Api, body: bytes) -> None:
    assert_taken_or_refused_properly(
        api.client.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    )


@bounded
@given(query=st.dictionaries(st.sampled_from(["wait", "limit", "after", "status"]), st.text(max_size=20)))
def test_no_query_breaks_it(api: Api, query: dict[str, str]) -> None:
    for path in ("/v1/jobs", ONE, f"{ONE}/results"):
        assert_taken_or_refused_properly(api.client.get(path, params=query))
