"""The API behind proxies: a path prefix, and headers that only trusted proxies may set."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from api.http.proxies import Proxies, path_prefix
from settings import ApiSettings
from tests.conftest import own_api
from tests.servers import RunningServer

PREFIX = "/tools/verdict"
JOB = {"reviews": [{"text": "a film"}]}
Start = Callable[..., AbstractContextManager[tuple[httpx.Client, str]]]


@pytest.fixture(scope="module")
def start(postgres: str, template: str, valkey: RunningServer) -> Start:
    """Return a function that starts an API with given settings."""
    return lambda **settings: own_api(ApiSettings(**settings), postgres, template, valkey)


class Edge:
    """A client that sends requests as one kind of proxy does."""

    def __init__(self, client: httpx.Client, before: str, headers: dict[str, str]) -> None:
        self._client, self._before, self._headers = client, before, headers

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request for a public path, which begins with the prefix."""
        assert path.startswith(PREFIX)
        options["headers"] = self._headers | options.pop("headers", {})
        return self._client.request(method, self._before + path.removeprefix(PREFIX), **options)


@pytest.fixture(scope="module", params=["setting", "setting, path kept", "header", "header, path kept"])
def edge(request: pytest.FixtureRequest, start: Start) -> Iterator[Edge]:
    """A proxy that removes the prefix from the path, or not, in front of an API that knows it by setting or header."""
    by_setting = request.param.startswith("setting")
    with start(root_path=PREFIX if by_setting else "") as (client, _):
        headers = {} if by_setting else {"x-forwarded-prefix": PREFIX}
        yield Edge(client, PREFIX if request.param.endswith("kept") else "", headers)


def test_location_and_urls_lead_back_through_the_proxy(edge: Edge) -> None:
    answer = edge.send("POST", f"{PREFIX}/v1/jobs", json=JOB)
    job = answer.json()
    assert answer.headers["location"] == job["urls"]["self"] == f"{PREFIX}/v1/jobs/{job['id']}"
    assert all(url.startswith(job["urls"]["self"]) for url in job["urls"].values())
    assert edge.send("GET", job["urls"]["self"]).json()["id"] == job["id"]
    assert edge.send("GET", job["urls"]["results"]).status_code == 200
    [listed, *_] = edge.send("GET", f"{PREFIX}/v1/jobs").json()["data"]
    assert listed["urls"] == job["urls"]
    assert edge.send("POST", job["urls"]["cancel"]).json()["urls"] == job["urls"]
    with_events = edge.send("GET", job["urls"]["events"]).text
    assert job["urls"]["results"] in with_events


def test_a_file_and_the_short_form_lead_back_too(edge: Edge) -> None:
    csv = {"content-type": "text/csv"}
    location = edge.send("POST", f"{PREFIX}/v1/jobs", content=b"text\na film\n", headers=csv).headers["location"]
    assert edge.send("GET", location).status_code == 200


def test_a_problem_names_the_public_path(edge: Edge) -> None:
    path = f"{PREFIX}/v1/jobs/0199aaaa-0000-7000-8000-000000000000"
    answer = edge.send("GET", path)
    assert (answer.status_code, answer.json()["instance"]) == (404, path)
    assert edge.send("PUT", f"{PREFIX}/v1/jobs").headers["allow"] == "POST, GET, HEAD"
    assert edge.send("GET", f"{PREFIX}/nothing").status_code == 404


@pytest.mark.parametrize("page", ["/", "/docs"])
def test_the_links_of_a_page_work(edge: Edge, page: str) -> None:
    answer = edge.send("GET", f"{PREFIX}{page}")
    links = re.findall(r'(?:src|href)="(/[^"]*)"', answer.text)
    assert len(links) >= 4
    assert {edge.send("GET", link).status_code for link in links} == {200}
    etag = answer.headers["etag"]
    assert edge.send("GET", f"{PREFIX}{page}", headers={"if-none-match": etag}).status_code == 304


def test_openapi_names_the_prefix_as_its_server(edge: Edge) -> None:
    assert edge.send("GET", f"{PREFIX}/openapi.json").json()["servers"] == [{"url": PREFIX}]


def test_probes_need_no_prefix(edge: Edge) -> None:
    assert edge._client.get("/livez").status_code == 200
    assert edge._client.get("/readyz").status_code == 200


def test_a_key_stands_for_one_request_with_and_without_a_prefix(start: Start) -> None:
    with start() as (client, _):
        key = {"idempotency-key": "k"}
        first = client.post("/v1/jobs", json=JOB, headers=key)
        again = client.post("/v1/jobs", json=JOB, headers=key | {"x-forwarded-prefix": PREFIX})
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["location"] == PREFIX + first.headers["location"]


def test_the_prefix_without_a_slash_leads_to_the_page(start: Start) -> None:
    with start(root_path=f"{PREFIX}/") as (client, _):
        answer = client.get(PREFIX)
        assert (answer.status_code, answer.headers["location"]) == (308, f"{PREFIX}/")
        assert client.get(answer.headers["location"]).status_code == 200
        assert client.get(f"{PREFIX}x").status_code == 404


@pytest.mark.parametrize(
    ("sent", "prefix"),
    [
        (["/a"], "/a"),
        (["/a/"], "/a"),
        (["/"], ""),
        ([""], ""),
        (["/a, /b/c"], "/a/b/c"),  # the outermost proxy first
        (["/a", "/b"], "/a/b"),
    ],
)
def test_the_header_replaces_the_setting(start: Start, sent: list[str], prefix: str) -> None:
    headers = [("x-forwarded-prefix", value) for value in sent]
    with start(root_path="/other") as (client, _):
        answer = client.post("/v1/jobs", json=JOB, headers=headers)
    assert answer.headers["location"].startswith(f"{prefix}/v1/jobs/")


@pytest.mark.parametrize("sent", ["a", "//evil.example", "/a/../b", "/.", "/a b", '/"><script>', "/%2f", "/v1", "é"])
def test_a_malformed_header_of_a_trusted_proxy_is_refused(start: Start, sent: str) -> None:
    with start() as (client, _):
        answer = client.get("/v1/jobs", headers={b"x-forwarded-prefix": sent.encode()})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:verdict:invalid-forwarded-prefix")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_headers_of_others_are_ignored(start: Start) -> None:
    with start(forwarded_allow_ips="10.0.0.0/8, 192.168.1.1") as (client, _):
        answer = client.post("/v1/jobs", json=JOB, headers={"x-forwarded-prefix": "//evil.example"})
    assert answer.headers["location"].startswith("/v1/jobs/")


FORWARDED = [
    (b"x-forwarded-for", b"203.0.113.9, 10.0.0.2"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-prefix", b"/a"),
]


@pytest.mark.parametrize(
    ("trusted", "client", "seen"),
    [
        ("10.0.0.0/8", "10.0.0.1", ("203.0.113.9", "https", "/a")),
        ("10.0.0.1", "10.0.0.1", ("10.0.0.2", "https", "/a")),
        ("*", "198.51.100.7", ("203.0.113.9", "https", "/a")),
        ("10.0.0.0/8", "198.51.100.7", ("198.51.100.7", "http", "")),
        ("", "127.0.0.1", ("127.0.0.1", "http", "")),
    ],
)
def test_only_trusted_proxies_set_client_scheme_and_prefix(
    trusted: str, client: str, seen: tuple[str, str, str]
) -> None:
    found: list[tuple[str, str, str]] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        assert path_prefix.get() == scope["root_path"]
        found.append((scope["client"][0], scope["scheme"], scope["root_path"]))

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "scheme": "http",
        "client": (client, 1),
        "headers": FORWARDED,
    }
    settings = ApiSettings(forwarded_allow_ips=trusted)
    asyncio.run(Proxies(app, settings)(scope, None, None))  # type: ignore[arg-type]  # the app neither receives nor sends
    assert found == [seen]
    assert path_prefix.get() == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"root_path": "verdict"}, "a path such as /verdict"),
        ({"root_path": "/a//b"}, "a path such as /verdict"),
        ({"root_path": "/a/../b"}, "a path such as /verdict"),
        ({"root_path": "/v1/verdict"}, "not below /v1"),
        ({"root_path": "https://a.example/b"}, "a path such as /verdict"),
        ({"forwarded_allow_ips": "10.0.0.1,proxy"}, "proxy is no IP address or network"),
        ({"forwarded_allow_ips": "10.0.0.1/8"}, "10.0.0.1/8 is no IP address or network"),
        ({"forwarded_allow_ips": "10.0.0.1,*"}, "* is no IP address or network"),
    ],
)
def test_a_malformed_setting_is_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        ApiSettings(**settings)  # type: ignore[arg-type]  # by name
