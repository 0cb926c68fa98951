"""Feedback on a review: first, repeated, changed, invalid, and with an idempotency key."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prometheus_client import REGISTRY

from db.engine import Engine
from tests.api import steps
from tests.conftest import wait_until
from tests.db.steps import rows
from tests.fakes import LABELS, NOT_A_NUMBER, expected_sentiment

TEXT = "a film about the sea"
SAID = expected_sentiment(TEXT)
OTHER = next(label for label in LABELS if label != SAID)


def tell(client: httpx.Client, review: str, body: Any, **headers: str) -> httpx.Response:
    return client.post(f"/v1/reviews/{review}/feedback", json=body, headers=headers)


def counted(agrees: str) -> float:
    labels = {"model": "default", "agrees": agrees}
    return REGISTRY.get_sample_value("verdict_feedback_total", labels) or 0


@pytest.fixture
def review(client: httpx.Client, worker: None) -> str:
    """A review that has a result."""
    assert worker is None
    found: str = steps.post(client, TEXT)["results"][0]["review_id"]
    return found


@pytest.mark.parametrize(("sentiment", "agrees"), [(SAID, True), (OTHER, False)])
def test_the_first_feedback_is_stored_and_counted(
    client: httpx.Client, engine: Engine, review: str, sentiment: str, agrees: bool
) -> None:
    before = counted(str(agrees).lower())
    answer = tell(client, review, {"sentiment": sentiment})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["review_id"], told["sentiment"], told["agrees"]) == (review, sentiment, agrees)
    assert counted(str(agrees).lower()) == before + 1
    assert not told["shared"]
    assert rows(engine, "SELECT dataset, text, label FROM examples") == []


def test_only_a_shared_review_is_shown_and_a_delete_removes_it(
    client: httpx.Client, engine: Engine, review: str
) -> None:
    assert tell(client, review, {"sentiment": SAID, "share": True}).json()["shared"]
    assert rows(engine, "SELECT dataset, text, label FROM examples") == [("feedback", TEXT, SAID)]
    [job] = client.get("/v1/jobs").json()["data"]
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert rows(engine, "SELECT * FROM examples") == []
    left = "SELECT text FROM job_rows UNION ALL SELECT id::text FROM reviews UNION ALL SELECT sentiment FROM feedback"
    assert rows(engine, left) == []


def test_sharing_can_be_taken_back(client: httpx.Client, engine: Engine, review: str) -> None:
    tell(client, review, {"sentiment": SAID, "share": True})
    assert not tell(client, review, {"sentiment": SAID}).json()["shared"]
    assert rows(engine, "SELECT * FROM examples") == []


def test_the_latest_feedback_wins_and_only_the_first_is_counted(
    client: httpx.Client, engine: Engine, review: str
) -> None:
    first = tell(client, review, {"sentiment": SAID}).json()
    before = counted("true"), counted("false")
    again = tell(client, review, {"sentiment": OTHER})
    assert (again.status_code, again.json()) == (200, first | {"sentiment": OTHER, "agrees": False})
    assert tell(client, review, {"sentiment": OTHER}).json() == again.json()
    assert (counted("true"), counted("false")) == before
    assert rows(engine, "SELECT sentiment, agrees FROM feedback") == [(OTHER, False)]


def test_the_request_log_names_the_job_of_the_review(client: httpx.Client, engine: Engine, review: str) -> None:
    tell(client, review, {"sentiment": SAID})
    query = "SELECT job_id FROM request_log WHERE route = '/v1/reviews/{review_id}/feedback'"
    assert wait_until(lambda: rows(engine, query)) == rows(engine, "SELECT id FROM jobs")


def test_an_unknown_review_is_404(client: httpx.Client) -> None:
    answer = tell(client, str(uuid4()), {"sentiment": SAID})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:verdict:unknown-review")


def test_a_queued_review_is_409(client: httpx.Client, engine: Engine) -> None:
    steps.post(client, TEXT, wait=0)
    [waiting] = rows(engine, "SELECT id FROM reviews")
    answer = tell(client, str(waiting.id), {"sentiment": SAID})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:verdict:wrong-state")
    assert "queued" in answer.json()["detail"]


@pytest.mark.usefixtures("worker")
def test_a_review_that_failed_is_409(client: httpx.Client) -> None:
    [failed] = steps.post(client, NOT_A_NUMBER)["results"]
    answer = tell(client, failed["review_id"], {"sentiment": SAID})
    assert answer.status_code == 409
    assert "failed" in answer.json()["detail"]


@pytest.mark.parametrize("sentiment", ["mixed", "", "POSITIVE", "1", "a\0b", "\ud800", "x" * 101])
def test_a_label_that_the_model_does_not_have_is_422(
    client: httpx.Client, engine: Engine, review: str, sentiment: str
) -> None:
    body = b'{"sentiment": "\\ud800"}' if sentiment == "\ud800" else None
    headers = {"content-type": "application/json"}
    answer = (
        client.post(f"/v1/reviews/{review}/feedback", content=body, headers=headers)
        if body
        else tell(client, review, {"sentiment": sentiment})
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/sentiment"
    assert rows(engine, "SELECT * FROM feedback") == []


@pytest.mark.parametrize(
    "body",
    [{}, [], {"sentiment": 1}, {"sentiment": None}, {"sentiment": SAID, "more": 1}, {"sentiment": SAID, "share": 1}],
)
def test_another_body_is_422(client: httpx.Client, body: Any) -> None:
    assert tell(client, str(UUID(int=1)), body).status_code == 422


def test_a_malformed_review_id_is_422(client: httpx.Client) -> None:
    answer = tell(client, "none", {"sentiment": SAID})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "path/review_id")


def test_a_repeated_key_takes_effect_once(client: httpx.Client, review: str) -> None:
    first = tell(client, review, {"sentiment": SAID}, **{"idempotency-key": "k"})
    tell(client, review, {"sentiment": OTHER})
    replayed = tell(client, review, {"sentiment": SAID}, **{"idempotency-key": "k"})
    assert (first.status_code, replayed.status_code) == (201, 200)
    assert replayed.headers["idempotent-replayed"] == "true"
    assert replayed.json()["sentiment"] == OTHER  # the stored one
    reused = tell(client, review, {"sentiment": OTHER}, **{"idempotency-key": "k"})
    assert (reused.status_code, reused.json()["type"]) == (422, "urn:verdict:idempotency-key-reused")
