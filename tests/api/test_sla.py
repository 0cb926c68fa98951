"""`GET /v1/sla`: the figures count the events of each window, and the targets are compared with them."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from db import registrations, sla
from db.engine import Engine, transaction
from db.models import Lane
from local import embedded
from monitoring import sla as sla_of
from monitoring.sla import Measured, Verdict, judge, window_of
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import serving
from tests.db.steps import broken, complete, complete_all, judged, must_claim, rows, run, stop, submit

HOUR = timedelta(hours=1)
REQUEST = """
INSERT INTO request_log (at, request_id, method, route, status, duration_ms, request_bytes, response_bytes)
SELECT now() - CAST(:age AS interval), 'r', :method, :route, :status, 1, 1, 1 FROM generate_series(1, :times)
"""


def asked(client: httpx.Client, window: str = "1h") -> dict[str, Any]:
    answer = client.get("/v1/sla", params={"window": window})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def target(found: dict[str, Any], name: str) -> dict[str, Any]:
    targets: list[dict[str, Any]] = found["targets"]
    [each] = [each for each in targets if each["name"] == name]
    return each


def verdict(engine: Engine, name: str) -> Verdict:
    [found] = [each for each in judge(measured(engine)) if each.name == name]
    return found


def measured(engine: Engine, window: timedelta = HOUR) -> Measured:
    with transaction(engine) as connection:
        return sla.measure(connection, window)


@pytest.fixture
def log(engine: Engine) -> Engine:
    """The database with a partition of the request log for rows of any time; no API writes into it."""
    run(engine, "CREATE TABLE request_log_test PARTITION OF request_log DEFAULT")
    return engine


def requests(engine: Engine, status: int, times: int, minutes: float = 1, call: str = "POST /v1/jobs") -> None:
    method, _, route = call.partition(" ")
    run(engine, REQUEST, status=status, times=times, age=timedelta(minutes=minutes), method=method, route=route)


def finish(engine: Engine, model_id: int, took_ms: float, reviews: int = 1, lane: Lane = Lane.INTERACTIVE) -> UUID:
    """Finish a job whose reviews took `took_ms`."""
    job = submit(engine, reviews, lane=lane)
    complete_all(engine, must_claim(engine, lane=lane), model_id)
    took = {"id": job, "took": timedelta(milliseconds=took_ms)}
    run(engine, "UPDATE reviews SET finished_at = queued_at + :took WHERE job_id = :id", **took)
    run(engine, "UPDATE jobs SET finished_at = created_at + :took WHERE id = :id", **took)
    return job


def tell(engine: Engine, job: UUID, *, agrees: bool, age: timedelta = timedelta()) -> None:
    """Store feedback on the first review of a job."""
    statement = """
    INSERT INTO feedback (review_id, sentiment, agrees, created_at)
    SELECT id, 'positive', :agrees, now() - CAST(:age AS interval) FROM reviews WHERE job_id = :job AND index = 0
    """
    run(engine, statement, job=job, agrees=agrees, age=age)


def test_without_events_no_target_is_decided(client: httpx.Client) -> None:
    found = asked(client)
    assert found["met"] is None
    assert {each["met"] for each in found["targets"]} == {each["figure"] for each in found["targets"]} == {None}
    assert [each["name"] for each in found["targets"]] == [
        "request_failures", "result_failures", "mean_latency", "p95_latency", "accuracy", "waiting",
    ]  # fmt: skip
    assert found["headline"] == "No data for any target"


def test_only_5xx_are_failed_requests(log: Engine) -> None:
    requests(log, 200, 990)
    requests(log, 429, 5)
    requests(log, 503, 5)
    requests(log, 500, 100, minutes=61)
    found = verdict(log, "request_failures")
    assert (found.figure, found.counted, found.missed, found.met) == (0.005, 1000, 5, True)
    assert found.budget_left == pytest.approx(0.5)


CALLS = ("POST /v1/jobs", "POST /v1/classify", "GET /v1/jobs/{job_id}", "POST /v1/reviews/{review_id}/feedback")
LOOKS = ("GET /v1/jobs", "GET /v1/sla", "GET /v1/models", "GET /", "GET /web/{name}", "OTHER unknown")


def test_requests_of_an_open_page_do_not_count(log: Engine) -> None:
    for call in CALLS:
        requests(log, 200, 9, call=call)
        requests(log, 503, 1, call=call)
    for look in LOOKS:
        requests(log, 200, 720, call=look)
        requests(log, 500, 50, call=look)
    found = verdict(log, "request_failures")
    assert (found.counted, found.missed) == (10 * len(CALLS), len(CALLS))


def test_the_counted_calls_are_those_of_prometheus(log: Engine) -> None:
    """Compare the SQL with the Prometheus rule, call by call."""
    patterns = [re.search(r'route=~?"([^"]+)"(?:,method="(\w+)")?', call) for call in sla_of.CALLS]
    routes = [(each[1], each[2]) for each in patterns if each]
    for call in (*CALLS, *LOOKS, "GET /v1/jobs/{job_id}/events", "DELETE /v1/jobs/{job_id}", "GET /runbook/{alert}"):
        method, _, route = call.partition(" ")
        before = measured(log).requests
        requests(log, 200, 1, call=call)
        by_prometheus = any(re.fullmatch(path, route) and verb in {None, method} for path, verb in routes)
        assert measured(log).requests - before == by_prometheus, call


def test_a_breach_overspends_the_budget(log: Engine) -> None:
    requests(log, 200, 97)
    requests(log, 500, 3)
    found = verdict(log, "request_failures")
    assert found.met is False
    assert found.budget_left == pytest.approx(-2)


def test_dead_letters_and_missed_deadlines_are_failed_results(engine: Engine, model_id: int) -> None:
    finish(engine, model_id, 10, reviews=3, lane=Lane.BULK)
    submit(engine, texts=["same", "same", "other"])
    claim = must_claim(engine)
    outcomes = [broken(claim.reviews[0]), judged(claim.reviews[1])]
    complete(engine, claim.token, model_id, outcomes, last=True)
    stop(engine, submit(engine, 4))  # cancelled: neither good nor bad
    expired = submit(engine, 5)
    stop(engine, expired)
    run(engine, "UPDATE jobs SET status = 'expired' WHERE id = :id", id=expired)
    submit(engine, 6)  # still waits
    [[copies]] = rows(engine, "SELECT sum(copies) FROM reviews WHERE status = 'failed'")
    found = measured(engine)
    assert (found.rows, found.rows_failed) == (3 + 3 + 5, copies + 5)


def test_rows_that_hold_nothing_to_judge_are_not_ours(client: httpx.Client, engine: Engine) -> None:
    headers = {"content-type": "text/csv"}
    assert client.post("/v1/jobs", content=b"review\n\n ,\nfine\n", headers=headers).status_code in {202, 422}
    assert client.post("/v1/jobs", content=b'id,review\n1,\n2,""\n', headers=headers).status_code == 202
    found = measured(engine)
    assert (found.rows, found.rows_failed) == (0, 0)


def test_latency_is_that_of_interactive_reviews(client: httpx.Client, engine: Engine, model_id: int) -> None:
    for _ in range(17):
        finish(engine, model_id, 100)
    finish(engine, model_id, 300, reviews=2)
    finish(engine, model_id, 6000)
    finish(engine, model_id, 9000, lane=Lane.BULK)
    submit(engine, lane=Lane.INTERACTIVE)
    found = asked(client)
    mean, p95 = target(found, "mean_latency"), target(found, "p95_latency")
    assert mean["figure"] == pytest.approx((17 * 100 + 2 * 300 + 6000) / 20)
    assert (mean["counted"], mean["met"]) == (20, False)
    assert (p95["counted"], p95["missed"], p95["met"]) == (20, 1, False)
    assert p95["budget_left"] == pytest.approx(0)
    assert 300 < p95["figure"] < 6000


def test_a_retry_by_hand_does_not_count_from_the_first_submission(engine: Engine, model_id: int) -> None:
    job = finish(engine, model_id, 100)
    run(engine, "UPDATE jobs SET finished_at = created_at + interval '10 min' WHERE id = :id", id=job)
    assert measured(engine).mean_ms == pytest.approx(100)


def test_accuracy_needs_some_feedback(client: httpx.Client, engine: Engine, model_id: int) -> None:
    jobs = [finish(engine, model_id, 10, lane=Lane.BULK) for _ in range(20)]
    for job in jobs[:19]:
        tell(engine, job, agrees=True)
    few = target(asked(client, "1d"), "accuracy")
    assert (few["figure"], few["counted"], few["met"], few["budget_left"]) == (None, 19, None, None)
    tell(engine, jobs[19], agrees=False)
    run(engine, "UPDATE feedback SET agrees = false WHERE review_id IN (SELECT review_id FROM feedback LIMIT 1)")
    enough = target(asked(client, "1h"), "accuracy")
    assert enough["figure"] == pytest.approx(1 - enough["missed"] / 20)
    assert enough["is_floor"]
    assert enough["met"] == (enough["missed"] <= 2)


def test_a_window_counts_only_its_events(engine: Engine, model_id: int, log: Engine) -> None:
    job = finish(engine, model_id, 10)
    tell(engine, job, agrees=True, age=timedelta(minutes=30))
    requests(log, 200, 1, minutes=30)
    now = measured(engine, timedelta(minutes=5))
    assert (now.requests, now.feedbacks, now.reviews, now.rows) == (0, 0, 1, 1)
    run(engine, "UPDATE jobs SET finished_at = now() - interval '10 min'")
    assert measured(engine, timedelta(minutes=5)).rows == 0
    assert measured(engine).requests == measured(engine).feedbacks == measured(engine).rows == 1


def test_queues_are_shown_by_model_and_lane(client: httpx.Client, engine: Engine) -> None:
    submit(engine, 3)
    must_claim(engine, reviews=1)
    run(engine, "UPDATE jobs SET created_at = now() - interval '7 s'")
    submit(engine, 4, model="other")
    lanes = {(each["model"], each["lane"]): each for each in asked(client)["lanes"]}
    bulk, nothing = lanes["default", "bulk"], {"queued": 0, "processing": 0, "oldest_seconds": 0.0}
    assert (bulk["queued"], bulk["processing"]) == (2, 1)
    assert 7 <= bulk["oldest_seconds"] < 30
    assert lanes["default", "interactive"] == {"model": "default", "lane": "interactive"} | nothing
    assert [each["queued"] for (model, _), each in lanes.items() if model == "other"] == [0, 4]


def waits(engine: Engine, seconds: float, reviews: int = 1, lane: Lane = Lane.INTERACTIVE) -> UUID:
    """Submit a job `seconds` ago that has no result."""
    job = submit(engine, reviews, lane=lane)
    age = {"id": job, "age": timedelta(seconds=seconds)}
    run(engine, "UPDATE reviews SET queued_at = now() - :age WHERE job_id = :id", **age)
    run(engine, "UPDATE jobs SET created_at = now() - :age WHERE id = :id", **age)
    return job


def seen(engine: Engine, model_id: int, seconds_ago: float = 0) -> None:
    """Register a worker as seen `seconds_ago`."""
    with transaction(engine) as connection:
        registrations.worker_seen(connection, "one", model_id)
    run(engine, "UPDATE workers SET seen_at = now() - :age", age=timedelta(seconds=seconds_ago))


def test_a_total_outage_misses_the_targets(client: httpx.Client, engine: Engine, model_id: int) -> None:
    seen(engine, model_id, seconds_ago=82)
    for seconds in (80, 70, 60, 50, 40):
        waits(engine, seconds)
    found = asked(client, "1m")
    assert found["met"] is False
    assert re.fullmatch(r"No worker is live: 5 reviews wait, the oldest for 8\d s; they are kept", found["headline"])
    missed = {each["name"] for each in found["targets"] if each["met"] is False}
    assert missed == {"mean_latency", "p95_latency", "waiting"}
    p95 = target(found, "p95_latency")
    assert (p95["counted"], p95["missed"]) == (5, 5)
    assert 60_000 <= p95["figure"] < 70_000
    assert 60_000 <= target(found, "mean_latency")["figure"] < 70_000
    assert (target(found, "waiting")["figure"], target(found, "waiting")["missed"]) == (5, 5)
    metrics = client.get("/metrics").text
    assert "verdict_overdue_reviews 5.0\n" in metrics
    assert "verdict_unfinished_rows 5.0\n" in metrics
    assert "verdict_stranded_rows 5.0\n" in metrics
    assert re.search(r"^verdict_stranded_oldest_seconds 8\d\.", metrics, re.MULTILINE)


def test_a_live_worker_does_not_hide_overdue_reviews(client: httpx.Client, engine: Engine, model_id: int) -> None:
    seen(engine, model_id)
    waits(engine, 3)
    must_claim(engine, lane=Lane.INTERACTIVE)
    found = asked(client)
    assert found["headline"] == "Missed: mean time to the result, 95 % of results within"
    assert target(found, "waiting")["met"] is True


def test_the_headline_names_a_model_without_a_live_worker(client: httpx.Client, engine: Engine, model_id: int) -> None:
    seen(engine, model_id)
    job = waits(engine, 7, reviews=3, lane=Lane.BULK)
    run(engine, "UPDATE jobs SET model = 'mine' WHERE id = :id", id=job)
    found = asked(client)
    assert found["met"] is False
    assert re.fullmatch(
        r"No worker for mine is live: 3 reviews wait, the oldest for \d+ s; they are kept", found["headline"]
    )


def test_a_review_that_is_young_paused_or_bulk_is_not_overdue(engine: Engine) -> None:
    waits(engine, 0.01)
    waits(engine, 60, lane=Lane.BULK)
    run(engine, "UPDATE jobs SET status = 'paused' WHERE id = :id", id=waits(engine, 60))
    stop(engine, waits(engine, 60))
    with transaction(engine) as connection:
        assert sla.unfinished(connection).overdue == 0


def test_cached_figures_do_not_hide_an_outage(
    client: httpx.Client, engine: Engine, model_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month takes 10 s to measure, so its figures are cached for minutes."""
    monkeypatch.setattr("api.routes.sla.LEAST_SECONDS", 60.0)
    finish(engine, model_id, 100)
    assert asked(client)["met"] is True
    waits(engine, 30)
    found = asked(client)
    assert found["met"] is False
    assert target(found, "mean_latency")["figure"] == pytest.approx(15_000, rel=0.1)
    assert (target(found, "p95_latency")["counted"], target(found, "p95_latency")["missed"]) == (2, 1)


def test_figures_are_cached_and_queues_are_not(
    client: httpx.Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.sla.LEAST_SECONDS", 60.0)
    first = asked(client, "7d")
    submit(engine, 2)
    second = asked(client, "7d")
    assert second["measured_at"] == first["measured_at"]
    assert sum(each["queued"] for each in second["lanes"]) == 2


@pytest.mark.parametrize(("words", "minutes"), [("1m", 1), ("90m", 90), ("6h", 360), ("720h", 43_200), ("30d", 43_200)])
def test_windows_from_a_minute_to_a_month_are_accepted(words: str, minutes: int) -> None:
    assert window_of(words) == timedelta(minutes=minutes)


OTHERS = ["", "0m", "31d", "721h", "1", "h", "-1h", "1.5h", "1w", "1H", "10s", "\u0663h", "1h ", "9" * 20, "99999d"]


def test_other_windows_are_refused(client: httpx.Client) -> None:
    for window in OTHERS:
        answer = client.get("/v1/sla", params={"window": window})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), window
        assert answer.json()["errors"][0]["pointer"] == "query/window"


def test_without_a_database_it_is_a_503(queue: QueueSettings) -> None:
    database = DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/nothing")
    with serving(ApiSettings(), database, queue) as url:
        answer = httpx.get(f"{url}/v1/sla", timeout=20)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:verdict:store-unavailable")
