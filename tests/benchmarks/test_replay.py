import asyncio
from typing import Any

from benchmarks.common.review_texts import short_reviews
from benchmarks.service.replay import cut, problem, serve
from tests.fakes import expected_sentiment


def test_every_review_is_in_one_job_of_1_to_200() -> None:
    jobs = list(cut(1000, seed=0))
    assert [place for job in jobs for place in job] == list(range(1000))
    assert all(1 <= len(job) <= 200 for job in jobs)
    assert jobs == list(cut(1000, seed=0))


def test_results_have_the_index_of_their_review(url: str, worker: None) -> None:
    assert worker is None
    texts = short_reviews(450)
    served = asyncio.run(serve(url, texts, list(cut(450, seed=0)), in_flight=3))
    assert [found[0]["sentiment"] for found in served] == [expected_sentiment(text) for text in texts]
    assert {problem(found, version="0") for found in served} == {None}


def test_the_fault_of_a_review_is_named() -> None:
    good: dict[str, Any] = {"status": "succeeded", "error": None, "model": {"version": "1"}}
    assert problem([], "1") == "0 results"
    assert problem([good, good], "1") == "2 results"
    assert (
        problem([good | {"status": "failed", "error": {"code": "exhausted"}}], "1") == "failed: {'code': 'exhausted'}"
    )
    assert problem([good], "2") == "answered by version 1, and version 2 is here"
