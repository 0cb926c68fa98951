"""Idempotency keys: one key, one request, one job."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

BODY = {"reviews": [{"text": "a fine film"}]}
KEY = {"idempotency-key": "order-66"}


def test_a_repeated_request_takes_effect_once(client: httpx.Client) -> None:
    first, second = (client.post("/v1/jobs", json=BODY, headers=KEY) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_another_body_under_the_same_key_is_refused(client: httpx.Client) -> None:
    client.post("/v1/jobs", json=BODY, headers=KEY)
    answer = client.post("/v1/jobs", json={"reviews": [{"text": "another"}]}, headers=KEY)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:verdict:idempotency-key-reused")


def test_another_path_under_the_same_key_is_refused(client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json=BODY, headers=KEY).json()
    assert client.post(job["urls"]["cancel"], headers=KEY).status_code == 422
    assert client.get(job["urls"]["self"]).json()["status"] == "queued"


def test_a_refused_request_does_not_use_up_its_key(client: httpx.Client) -> None:
    assert client.post("/v1/jobs", json={"reviews": []}, headers=KEY).status_code == 422
    assert client.post("/v1/jobs", json=BODY, headers=KEY).status_code == 202


def test_many_at_once_make_one_job(client: httpx.Client, url: str) -> None:
    def send(_: int) -> str:
        answer = httpx.post(f"{url}/v1/jobs", json=BODY, headers=KEY)
        while answer.status_code == 429:  # a slow machine refuses some of 16 requests
            time.sleep(float(answer.headers["retry-after"]))
            answer = httpx.post(f"{url}/v1/jobs", json=BODY, headers=KEY)
        return str(answer.json()["id"])

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(send, range(64)))) == 1
    assert len(client.get("/v1/jobs").json()["data"]) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "caf\xe9"])
def test_a_bad_key_is_refused(client: httpx.Client, key: str) -> None:
    answer = client.post("/v1/jobs", json=BODY, headers={b"idempotency-key": key.encode("latin-1")})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "header/idempotency-key"
