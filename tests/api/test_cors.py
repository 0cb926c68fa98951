"""Pages of the origins in CORS_ORIGINS may call the API; pages of all others may not."""

import re
from collections.abc import Iterator

import httpx
import pytest
from pydantic import ValidationError

from settings import ApiSettings
from tests.conftest import own_api
from tests.servers import RunningServer

JOB = {"reviews": [{"text": "a film"}]}
SHOP = "https://shop.example"
CROSS = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,idempotency-key"}


@pytest.fixture(scope="module")
def client(postgres: str, template: str, valkey: RunningServer) -> Iterator[httpx.Client]:
    """A client of one API with CORS_ORIGINS, for all tests of this module."""
    settings = ApiSettings(cors_origins="https://Shop.example:443/, http://localhost:3000")
    with own_api(settings, postgres, template, valkey) as (client, _):
        yield client


@pytest.mark.parametrize("origin", [SHOP, "http://localhost:3000"])
def test_a_page_of_an_allowed_origin_can_submit_and_read(client: httpx.Client, origin: str) -> None:
    answer = client.post("/v1/jobs", json=JOB, headers=CROSS | {"origin": origin})
    assert answer.status_code == 202
    assert answer.headers["access-control-allow-origin"] == origin
    assert {"Location", "Retry-After", "ETag", "X-Request-ID"} <= set(
        answer.headers["access-control-expose-headers"].split(", ")
    )
    assert "Origin" in answer.headers["vary"]
    job = client.get(answer.headers["location"], headers=CROSS | {"origin": origin})
    assert (job.status_code, job.headers["access-control-allow-origin"]) == (200, origin)


def test_a_refusal_can_be_read_too(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={}, headers=CROSS | {"origin": SHOP})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (422, SHOP)


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET", "HEAD"])
def test_a_preflight_is_answered(client: httpx.Client, method: str) -> None:
    headers = PREFLIGHT | CROSS | {"origin": SHOP, "access-control-request-method": method}
    answer = client.options("/v1/jobs", headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SHOP)
    assert method in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://shop.example", "https://shop.example:8443", "https://a.shop.example", "null"],
)
def test_a_page_of_any_other_origin_is_refused(client: httpx.Client, origin: str) -> None:
    sent = client.post("/v1/jobs", json=JOB, headers=CROSS | {"origin": origin})
    preflight = client.options("/v1/jobs", headers=PREFLIGHT | CROSS | {"origin": origin})
    for answer in (sent, preflight):
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:verdict:cross-site-request")
        assert "access-control-allow-origin" not in answer.headers


def test_a_cross_site_request_without_origin_is_refused(client: httpx.Client) -> None:
    assert (
        client.get("/v1/jobs", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}).status_code == 403
    )


def test_any_origin_can_be_allowed(postgres: str, template: str, valkey: RunningServer) -> None:
    with own_api(ApiSettings(cors_origins="*"), postgres, template, valkey) as (client, _):
        answer = client.post("/v1/jobs", json=JOB, headers=CROSS | {"origin": "https://evil.example"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (202, "*")
        no_origin = client.get("/v1/jobs", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})
        assert no_origin.status_code == 403


def test_by_default_no_answer_has_cors_headers(postgres: str, template: str, valkey: RunningServer) -> None:
    with own_api(ApiSettings(), postgres, template, valkey) as (client, _):
        answer = client.get("/v1/jobs", headers={"origin": str(client.base_url).rstrip("/")})
        assert answer.status_code == 200
        assert [name for name in answer.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize(
    "origin", ["shop.example", "https://shop.example/path", "ftp://a.example", "https://", "null", "*.a"]
)
def test_a_malformed_origin_in_the_settings_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"{origin} is no origin")):
        ApiSettings(cors_origins=f"https://ok.example,{origin}")
