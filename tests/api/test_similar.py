"""Similar reviews in requests and results."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from db import examples
from db.engine import transaction
from db.examples import NewExample
from tests.api import steps
from tests.embedders import small_embedder
from verdict import Client
from worker.context import WorkerContext

pytestmark = pytest.mark.usefixtures("worker")
TEXTS = ["pirates", "a ship", "the sea", "pirates at sea", "space"]


@pytest.fixture(autouse=True)
def stocked(context: WorkerContext, tmp_path: Path) -> None:
    """Give the worker an embedder, and store five positive examples."""
    embedder = context.embedder = small_embedder(tmp_path)
    vectors = embedder.embed(TEXTS, embedder.one_hot(["positive"] * len(TEXTS))).tolist()
    with transaction(context.engine) as connection:
        new = [NewExample(text, "positive", None, vector) for text, vector in zip(TEXTS, vectors, strict=True)]
        examples.add(connection, "ours", embedder.digest, new)


def similar(client: httpx.Client, *texts: str, **body: Any) -> list[list[dict[str, Any]]]:
    """Submit a job, and return the similar reviews of each result."""
    reviews = {"reviews": [{"text": text} for text in texts]}
    job = client.post("/v1/jobs", json=reviews | body, headers={"prefer": "wait=20"}).json()
    return [result["similar_reviews"] for result in job["results"]]


def test_a_single_review_shows_three_and_reviews_of_a_larger_job_none(client: httpx.Client) -> None:
    [shown] = similar(client, "a ship of pirates")
    assert [set(each) for each in shown] == [{"text", "sentiment", "similarity"}] * 3
    assert shown[0]["sentiment"] == "positive"
    assert similar(client, "a ship of pirates", "robots") == [[], []]


def test_a_job_shows_as_many_as_it_asks_for_and_there_are(client: httpx.Client) -> None:
    assert [len(each) for each in similar(client, "a ship of pirates", "robots", similar=2)] == [2, 2]
    assert [len(each) for each in similar(client, "robots", similar=0)] == [0]
    assert [len(each) for each in similar(client, "robots", similar=20)] == [5]


@pytest.mark.parametrize("wanted", [-1, 21, "3", 1.5])
def test_a_number_beyond_the_limits_is_refused(client: httpx.Client, wanted: Any) -> None:
    bodies: dict[str, dict[str, Any]] = {"/v1/jobs": {"reviews": [{"text": "a"}]}, "/v1/classify": {"review_text": "a"}}
    for path, body in bodies.items():
        answer = client.post(path, json=body | {"similar": wanted})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/similar")


def test_the_short_form_shows_three_or_as_many_as_asked_for(client: httpx.Client) -> None:
    bodies: list[tuple[dict[str, int], int]] = [({}, 3), ({"similar": 1}, 1), ({"similar": 0}, 0)]
    for body, count in bodies:
        answer = client.post("/v1/classify", json={"review_text": "a ship", **body}).json()
        assert len(answer["similar_reviews"]) == count


def test_ndjson_carries_them_and_csv_does_not(client: httpx.Client) -> None:
    job = client.post(
        "/v1/jobs", json={"reviews": [{"text": "robots"}], "similar": 2}, headers={"prefer": "wait=20"}
    ).json()
    [line] = steps.get(client, job, "ndjson").text.splitlines()
    assert json.loads(line)["similar_reviews"] == job["results"][0]["similar_reviews"]
    assert len(job["results"][0]["similar_reviews"]) == 2
    assert steps.rows_of(steps.get(client, job, "csv").content)[0] == ["index", "id", "text", *steps.OURS]


def test_a_file_has_none(client: httpx.Client) -> None:
    job = steps.submit(client, b"text\npirates at sea\n")
    assert [result["similar_reviews"] for result in job["results"]] == [[]]


def test_the_python_client_asks_and_reads(url: str) -> None:
    with Client(url) as client:
        [result] = client.submit(["a ship of pirates"], wait=20, similar=1).results or []
        assert [each.sentiment for each in result.similar_reviews] == ["positive"]
        assert len(client.classify("robots", similar=2).similar_reviews) == 2
