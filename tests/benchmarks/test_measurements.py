import asyncio

import pytest

from benchmarks.common.http_client import Connection, NoAnswer, RequestRefused, for_each
from benchmarks.common.review_texts import short_reviews
from benchmarks.common.spread import spread
from benchmarks.service.measurements import jobs_of_100, singles, windows


def test_windows_are_cut_as_claims_are() -> None:
    texts = ["x" * 445] * 5 + ["x" * 44_500, "x"]  # 100 tokens each, then one over the budget alone
    assert [len(window) for window in windows(texts, reviews=3, tokens=250)] == [2, 2, 1, 1, 1]
    assert [len(window) for window in windows(texts[:5], reviews=3, tokens=10_000)] == [3, 2]


def test_percentiles() -> None:
    assert spread(range(101)).p95 == 95
    assert spread([7.0]).p99 == 7


def test_jobs_of_100_are_measured_to_their_last_result(url: str, worker: None) -> None:
    assert worker is None
    rate = jobs_of_100(url, short_reviews(250), root=None)
    assert rate.reviews == 250
    assert rate.per_second == pytest.approx(250 / rate.seconds, rel=0.01)
    assert set(rate.cpu_ms) == {"load client"}


def test_single_reviews_are_measured_with_their_inference_and_their_wait(url: str, worker: None) -> None:
    assert worker is None
    lone = singles(url, short_reviews(20), concurrency=4, root=None)
    assert lone.end_to_end.p50 > lone.inference.p50
    assert lone.end_to_end.p50 > lone.queued.p50 > 0


def test_an_error_status_is_raised(url: str) -> None:
    async def get(connection: Connection, path: str) -> object:
        return (await connection.request("GET", path)).json()

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(for_each(url, ["/v1/nothing"], 1, get))
    assert caught.group_contains(RequestRefused)


def test_a_port_without_a_server_gives_no_answer() -> None:
    with pytest.raises(NoAnswer):
        asyncio.run(Connection("http://127.0.0.1:9").request("GET", "/livez"))
