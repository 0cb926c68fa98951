"""The public contract of jobs, over real HTTP against real servers."""

from typing import Any

import httpx
import pytest

from tests.conftest import wait_until
from tests.fakes import NOT_A_NUMBER, POISON, UNREADABLE, expected_sentiment

TEXTS = ["a fine film", "a dull film", "not bad at all"]


def reviews(*texts: str) -> dict[str, Any]:
    return {"reviews": [{"text": text, "id": f"id-{place}"} for place, text in enumerate(texts)]}


def post(client: httpx.Client, *texts: str, **headers: str) -> httpx.Response:
    return client.post("/v1/jobs", json=reviews(*texts), headers=headers)


def wait_for_end(client: httpx.Client, job_id: str) -> dict[str, Any]:
    def ended() -> dict[str, Any]:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}", params={"wait": 5}).json()
        return job if job["finished_at"] else {}

    return wait_until(ended)


def test_a_submitted_job_is_queued_and_has_a_location(client: httpx.Client) -> None:
    answer = post(client, *TEXTS)
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["status"], job["counts"]["queued"], job["counts"]["total"]) == ("queued", 3, 3)
    assert [each["id"] for each in job["results"]] == ["id-0", "id-1", "id-2"]


@pytest.mark.usefixtures("worker")
def test_prefer_wait_answers_with_the_finished_job(client: httpx.Client) -> None:
    answer = post(client, *TEXTS, prefer="wait=10")
    job = answer.json()
    assert (answer.status_code, job["status"], job["progress"]) == (200, "succeeded", 1)
    assert answer.headers["preference-applied"] == "wait=10"
    assert [each["sentiment"] for each in job["results"]] == [expected_sentiment(text) for text in TEXTS]


@pytest.mark.usefixtures("worker")
def test_a_result_names_its_model_and_timings(client: httpx.Client) -> None:
    [result] = post(client, "a fine film", prefer="wait=10").json()["results"]
    assert result["model"] == {"name": "default", "version": "0", "precision": "fake", "stage": "fake"}
    assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert result["confidence"] == max(result["probabilities"].values())
    assert result["timings_ms"]["queued"] >= 0
    assert result["timings_ms"]["inference"] >= 0
    assert (result["truncated"], result["tokens"], result["error"]) == (False, 11, None)


def test_prefer_wait_answers_202_when_the_time_is_up(client: httpx.Client) -> None:
    answer = post(client, "a fine film", prefer="wait=0.05")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("culprit", [POISON, UNREADABLE, NOT_A_NUMBER])
def test_a_review_that_breaks_the_model_fails_alone(client: httpx.Client, culprit: str) -> None:
    job = wait_for_end(client, post(client, "one", "two", culprit, "three", "four").json()["id"])
    assert job["status"] == "succeeded"
    assert [each["status"] for each in job["results"]] == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    assert (job["results"][2]["error"]["code"], job["results"][2]["error"]["attempts"]) == ("exhausted", 3)
    assert (job["counts"]["succeeded"], job["counts"]["failed"]) == (4, 1)


@pytest.mark.usefixtures("worker")
def test_a_job_whose_reviews_all_failed_has_failed_and_can_be_retried(client: httpx.Client) -> None:
    job = wait_for_end(client, post(client, POISON).json()["id"])
    assert job["status"] == "failed"
    answer = client.post(job["urls"]["retry"])
    assert (answer.status_code, answer.json()["counts"]["failed"] <= 1) == (202, True)
    assert wait_for_end(client, job["id"])["status"] == "failed"


def test_cancel_stops_queued_reviews_and_is_repeatable(client: httpx.Client) -> None:
    job = post(client, *TEXTS).json()
    for _ in range(2):
        cancelled = client.post(job["urls"]["cancel"]).json()
        assert (cancelled["status"], cancelled["counts"]["cancelled"]) == ("cancelled", 3)
    assert client.post(job["urls"]["retry"]).status_code == 409


def test_delete_erases_a_job(client: httpx.Client) -> None:
    job = post(client, *TEXTS).json()
    assert client.delete(job["urls"]["self"]).status_code == 204
    assert client.get(job["urls"]["self"]).status_code == 404
    assert client.delete(job["urls"]["self"]).status_code == 404


def test_results_come_in_pages_in_the_order_sent(client: httpx.Client) -> None:
    job = post(client, *(f"text {number}" for number in range(250))).json()
    assert job["results"] is None
    seen: list[int] = []
    after: str | None = "-1"
    while after:
        page = client.get(job["urls"]["results"], params={"after": after, "limit": 100}).json()
        seen += [each["index"] for each in page["data"]]
        after = page["next"]
    assert seen == list(range(250))


def test_results_can_be_filtered_by_status(client: httpx.Client) -> None:
    job = post(client, *TEXTS).json()
    assert client.get(job["urls"]["results"], params={"status": "failed"}).json() == {"data": [], "next": None}


def test_jobs_are_listed_newest_first_in_pages(client: httpx.Client) -> None:
    ids = [post(client, "text").json()["id"] for _ in range(5)]
    first = client.get("/v1/jobs", params={"limit": 3}).json()
    second = client.get("/v1/jobs", params={"limit": 3, "after": first["next"], "status": "queued"}).json()
    assert [job["id"] for job in first["data"] + second["data"]] == ids[::-1]
    assert second["next"] is None


def test_a_job_shows_its_deadline(client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json=reviews("text") | {"deadline_seconds": 60, "metadata": {"a": [1, None]}}).json()
    assert job["deadline_at"] > job["created_at"]
    assert job["metadata"] == {"a": [1, None]}


@pytest.mark.usefixtures("worker")
def test_the_short_form_answers_with_exactly_its_four_members(client: httpx.Client) -> None:
    answer = client.post("/v1/classify", json={"review_text": "a fine film"})
    assert answer.status_code == 200
    assert answer.json() == {
        "sentiment": expected_sentiment("a fine film"),
        "confidence": pytest.approx(0.8808, abs=1e-3),
        "warnings": [],
        "similar_reviews": [],
    }


@pytest.mark.usefixtures("worker")
def test_the_short_form_says_when_the_model_fails(client: httpx.Client) -> None:
    answer = client.post("/v1/classify", json={"review_text": POISON})
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:verdict:not-judged")
    assert client.get(answer.headers["location"]).json()["status"] == "failed"


def test_small_jobs_are_interactive_and_large_ones_bulk(client: httpx.Client) -> None:
    assert post(client, *["text"] * 16).json()["lane"] == "interactive"
    assert post(client, *["text"] * 17).json()["lane"] == "bulk"
