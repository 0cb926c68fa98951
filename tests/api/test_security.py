"""The hosts that the API answers for, and the web sites that may call it from a browser."""

import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import ValidationError

from api.http.security_headers import HEADERS
from settings import ApiSettings
from tests.conftest import own_api
from tests.servers import RunningServer

JOB = {"reviews": [{"text": "a film"}]}
NAMES = "reviews.example, *.shop.example,Api"


@pytest.fixture(scope="module")
def client(postgres: str, template: str, valkey: RunningServer) -> Iterator[httpx.Client]:
    """A client of one API with ALLOWED_HOSTS, for all tests of this module."""
    with own_api(ApiSettings(allowed_hosts=NAMES), postgres, template, valkey) as (client, _):
        yield client


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, answer.json()["type"].removeprefix("urn:verdict:")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:1",
        "LocalHost:8000",
        "localhost.",
        "app.localhost",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:8000",
        "10.1.2.3:8000",  # a probe or a scrape uses the address of the pod
        "[FE80::1]:80",
        "reviews.example",
        "Reviews.Example.:443",
        "eu.shop.example",
        "api:8000",
    ],
)
def test_a_host_of_this_service_is_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/jobs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evillocalhost",
        "shop.example",  # only its subdomains are allowed
        "evilshop.example",
        "api.evil.example",
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/", "/docs", "/metrics", "/livez", "/openapi.json", "/nothing"])
def test_a_name_that_was_rebound_to_this_service_is_refused(client: httpx.Client, host: str, path: str) -> None:
    answer = client.get(path, headers={"host": host})
    assert problem(answer) == (421, "host-not-allowed")
    assert f"the host {host.partition(':')[0]}." in answer.json()["detail"]
    assert "ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["", "a b", "localhost:80:80", "localhost@evil.example", "localhost/evil", "[::1", "::1", "é"]
)
def test_a_malformed_host_is_refused(client: httpx.Client, host: str) -> None:
    assert b" 400 " in raw(client, "1.1", b"Host: " + host.encode()).partition(b"\r\n")[0]


def raw(client: httpx.Client, version: str, *headers: bytes) -> bytes:
    """Send a request with exactly these headers, and return the whole answer."""
    to = urlsplit(str(client.base_url))
    lines = [f"GET /v1/jobs HTTP/{version}".encode(), *headers, b"Connection: close", b"", b""]
    with socket.create_connection((to.hostname, to.port), timeout=10) as connection:
        connection.sendall(b"\r\n".join(lines))
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_an_http_1_0_client_needs_no_host(client: httpx.Client) -> None:
    assert b" 200 " in raw(client, "1.0").partition(b"\r\n")[0]
    assert b" 421 " in raw(client, "1.0", b"Host: evil.example").partition(b"\r\n")[0]


def test_http_1_1_needs_exactly_one_host(client: httpx.Client) -> None:
    assert b" 400 " in raw(client, "1.1").partition(b"\r\n")[0]
    assert b" 400 " in raw(client, "1.1", b"Host: localhost", b"Host: evil.example").partition(b"\r\n")[0]


FOREIGN: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "Cross-Site"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost:3000"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "origin": "null"},
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:3000"},
    {"origin": "http://localhost.evil.example"},
    {"origin": "http://localhost@evil.example"},
    {"origin": "https://eu.shop.example"},  # a wildcard allows hosts, not origins
    {"origin": "null"},
    {"origin": ""},
]


@pytest.mark.parametrize("sent", FOREIGN)
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "text/csv",
        "application/json",
    ],
)
def test_a_page_of_another_site_cannot_submit(client: httpx.Client, sent: dict[str, str], kind: str) -> None:
    before = jobs(client)
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\ntext\r\na film\r\n--b--\r\n'
    answer = client.post("/v1/jobs", content=body, headers=sent | {"content-type": kind, "host": "localhost:8000"})
    assert problem(answer) == (403, "cross-site-request")
    assert jobs(client) == before


def jobs(client: httpx.Client) -> Any:
    return client.get("/v1/jobs").json()["data"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/jobs/x"),
        ("POST", "/v1/classify"),
        ("OPTIONS", "/v1/jobs"),
        ("POST", "/v1/reviews/x/feedback"),
        ("POST", "/v1/jobs/x/cancel"),
    ],
)
def test_a_page_of_another_site_cannot_change_anything_else(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path, headers={"origin": "https://evil.example"})
    assert problem(answer) == (403, "cross-site-request")
    assert [name for name in answer.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize(
    "sent",
    [
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"origin": "https://evil.example"},
    ],
)
def test_a_page_of_another_site_cannot_read_reviews(client: httpx.Client, sent: dict[str, str]) -> None:
    assert problem(client.get("/v1/jobs", headers=sent)) == (403, "cross-site-request")


def test_a_link_on_another_site_can_be_followed(client: httpx.Client) -> None:
    sent = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.get("/", headers=sent).status_code == 200
    assert client.get("/v1/jobs", headers=sent).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"host": "localhost:8000", "origin": "http://localhost:8000"},
        {"host": "[::1]:8000", "origin": "http://[::1]:8000"},
        {"host": "reviews.example", "origin": "https://Reviews.example"},
        {"host": "reviews.example:443", "origin": "https://reviews.example"},
        {"host": "reviews.example", "origin": "http://reviews.example:80"},
        {"host": "127.0.0.1:8000", "origin": "https://reviews.example"},  # a proxy that changes Host
    ],
)
def test_a_page_of_this_service_and_a_program_can_submit(client: httpx.Client, sent: dict[str, str]) -> None:
    assert client.post("/v1/jobs", json=JOB, headers=sent).status_code == 202


def test_allowing_any_host_allows_no_other_origin(postgres: str, template: str, valkey: RunningServer) -> None:
    with own_api(ApiSettings(allowed_hosts="*"), postgres, template, valkey) as (client, _):
        assert client.get("/v1/jobs", headers={"host": "evil.example"}).status_code == 200
        answer = client.post("/v1/jobs", json=JOB, headers={"origin": "https://evil.example"})
        assert problem(answer) == (403, "cross-site-request")


@pytest.mark.parametrize("name", ["http://a.example", "a.example:80", "a/b", "a b", "*.*", "*a"])
def test_a_malformed_host_name_in_the_settings_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"{name} is no host name")):
        ApiSettings(allowed_hosts=f"ok.example,{name}")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/jobs", 200),
        ("GET", "/", 200),
        ("GET", "/docs", 200),
        ("GET", "/web/app.js", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/metrics", 200),
        ("GET", "/livez", 200),
        ("GET", "/nothing", 404),
        ("PUT", "/v1/jobs", 405),
        ("POST", "/v1/jobs", 415),
    ],
)
def test_every_answer_has_the_security_headers(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert set(HEADERS) <= set(answer.headers)
    for name, value in answer.headers.multi_items():
        if name == "content-security-policy":
            assert value.startswith("default-src 'none';")
            assert "frame-ancestors 'none'" in value
            assert "unsafe" not in value
            assert "http" not in value
    assert len(answer.headers.get_list("content-security-policy")) == 1
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_refusal_has_the_security_headers(client: httpx.Client) -> None:
    assert set(HEADERS) <= set(client.get("/", headers={"host": "evil.example"}).headers)


def test_an_answer_to_an_unexpected_error_has_the_security_headers(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.health.gauges.refresh", lambda *_: 1 / 0)
    answer = client.get("/metrics")
    assert problem(answer) == (500, "internal-error")
    assert set(HEADERS) <= set(answer.headers)
