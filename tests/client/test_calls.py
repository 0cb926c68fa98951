"""The calls with a real service, and its refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Ask
from tests.fakes import POISON, expected_sentiment
from verdict import Job, Refused, Review


@pytest.mark.usefixtures("worker")
def test_each_review_gets_its_result_and_its_id(ask: Ask, url: str) -> None:
    reviews = ["good", Review("bad", id="42"), Review("better")]
    job = ask(url, "wait", ask(url, "submit", reviews, metadata={"of": "mine"}))
    assert (job.status, job.metadata, job.has_ended) == ("succeeded", {"of": "mine"}, True)
    results = ask(url, "results", job)
    assert [(each.index, each.id, each.sentiment) for each in results] == [
        (0, None, expected_sentiment("good")),
        (1, "42", expected_sentiment("bad")),
        (2, None, expected_sentiment("better")),
    ]


@pytest.mark.usefixtures("worker")
def test_results_come_over_several_pages(ask: Ask, url: str) -> None:
    texts = [f"film {number}" for number in range(500)]
    job = ask(url, "wait", ask(url, "submit", texts).id)
    assert job.results is None
    assert [each.sentiment for each in ask(url, "results", job)] == [expected_sentiment(text) for text in texts]


@pytest.mark.usefixtures("worker")
def test_failed_results_can_be_asked_for_alone(ask: Ask, url: str) -> None:
    job = ask(url, "wait", ask(url, "submit", ["good", POISON], wait=1))
    for asked in (job, job.id):
        [result] = ask(url, "results", asked, status="failed")
        assert (result.index, result.error.code, result.sentiment) == (1, "exhausted", None)


@pytest.mark.usefixtures("worker")
def test_one_text_is_classified(ask: Ask, url: str) -> None:
    assert ask(url, "classify", "good").sentiment == expected_sentiment("good")


@pytest.mark.usefixtures("worker")
def test_feedback_is_recorded_and_shared_only_on_request(ask: Ask, url: str) -> None:
    [result] = ask(url, "results", ask(url, "submit", ["good"], wait=10))
    told = ask(url, "feedback", result.review_id, "positive")
    assert (told.review_id, told.sentiment, told.shared) == (result.review_id, "positive", False)
    assert ask(url, "feedback", result.review_id, "negative", share=True).shared
    with pytest.raises(Refused, match="sentiment"):
        ask(url, "feedback", result.review_id, "mixed")


@pytest.mark.usefixtures("worker")
def test_a_model_can_be_named_in_every_call(ask: Ask, url: str, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("text\ngood\n")
    assert ask(url, "classify", "good", model="default").sentiment == expected_sentiment("good")
    for job in (ask(url, "submit", ["good"], model="default"), ask(url, "submit_file", path, model="default")):
        assert (job.model, job.warning) == ("default", None)
    for call, what in (("classify", "good"), ("submit", ["good"]), ("submit_file", path)):
        with pytest.raises(Refused, match="is not one of the models that are served: default"):
            ask(url, call, what, model="nothing")


@pytest.mark.usefixtures("worker")
def test_a_wait_reports_until_the_end(ask: Ask, url: str) -> None:
    seen: list[Job] = []
    job = ask(url, "wait", ask(url, "submit", ["good"]), on_progress=seen.append)
    assert seen[-1] == job
    assert job.has_ended


def test_one_key_makes_one_job(ask: Ask, url: str) -> None:
    jobs = {ask(url, "submit", ["good"], idempotency_key="mine").id for _ in range(2)}
    assert len(jobs) == 1


def test_without_a_key_each_submit_makes_a_job(ask: Ask, url: str) -> None:
    jobs = {ask(url, "submit", ["good"]).id for _ in range(2)}
    assert len(jobs) == 2


def test_a_job_is_paused_resumed_cancelled_and_deleted(ask: Ask, url: str) -> None:
    job = ask(url, "submit", ["good"])
    assert ask(url, "pause", job).status == "paused"
    assert ask(url, "resume", job.id).status == "queued"
    assert ask(url, "cancel", job).status == "cancelled"
    ask(url, "delete", job)
    with pytest.raises(Refused, match="Not Found"):
        ask(url, "job", job)


def test_failed_reviews_are_retried(ask: Ask, url: str, drain: Callable[[], None]) -> None:
    job = ask(url, "submit", [POISON])
    drain()
    assert ask(url, "job", job).counts.failed == 1
    assert ask(url, "retry", job).counts.queued == 1


def test_a_refusal_names_each_field(ask: Ask, url: str) -> None:
    with pytest.raises(Refused) as refused:
        ask(url, "submit", ["good", " "])
    error = refused.value
    assert (error.status, error.type, error.title) == (422, "urn:verdict:invalid-request", "Unprocessable Entity")
    assert error.errors == [{"pointer": "/reviews/1/text", "detail": "must not be empty or blank"}]
    assert error.request_id
    assert error.retry_after is None
    assert str(error) == f"{error.title}: {error.detail}; /reviews/1/text must not be empty or blank"


def test_an_unknown_job_is_refused(ask: Ask, url: str) -> None:
    with pytest.raises(Refused) as refused:
        ask(url, "job", "../models")
    assert refused.value.status in {404, 422}


def test_a_single_text_is_not_a_list_of_reviews(ask: Ask, url: str) -> None:
    with pytest.raises(TypeError, match="not one text"):
        ask(url, "submit", "good")


@pytest.mark.parametrize("options", [{"deadline_seconds": 60}, {"model": "default"}])
def test_a_job_takes_its_options(ask: Ask, url: str, options: dict[str, Any]) -> None:
    job = ask(url, "submit", ["good"], **options)
    assert (job.deadline_at is not None) == ("deadline_seconds" in options)
