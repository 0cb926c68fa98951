"""Locust against a real API and a worker with the fake model."""

from pathlib import Path

import httpx
import pytest

from benchmarks.users import reconcile
from benchmarks.users.generator import GeneratorError, Load, generate
from benchmarks.users.target import Target
from benchmarks.users.user_model import Phase, Plan, VisitKind, VisitOutcome
from settings import DatabaseSettings


def test_the_counts_of_users_equal_those_of_the_database(url: str, database: DatabaseSettings, worker: None) -> None:
    assert worker is None
    since = reconcile.database_time(database.database_url)
    pids: list[int] = []
    load = Load(Plan(12, "people", [Phase(30, 1), Phase(90, 2)]), Path("no such file"))
    recording = generate(load, url, pids.append)
    assert recording.errors == []
    assert {visit.outcome for visit in recording.visits} == {VisitOutcome.ANSWERED}
    assert len({visit.kind for visit in recording.visits}) >= 3
    assert recording.dataset == "generated, seed 0"
    assert recording.lag_ms
    assert recording.cpu_seconds > 0
    seen = reconcile.from_recording(recording)
    lines = reconcile.compare(seen, None, reconcile.from_tables(database.database_url, since))
    different = [line for line in lines if not line.equal and not line.what.startswith(("requests", "shed"))]
    assert different == []
    assert reconcile.unfinished(database.database_url, since) == 0
    assert len(pids) == 1


def test_metrics_of_a_service_known_by_http_only(url: str) -> None:
    assert Target(url).metrics_urls() == [f"{url}/metrics"]
    before = reconcile.from_metrics(Target(url))
    assert httpx.get(f"{url}/v1/jobs").status_code == 200
    after = reconcile.from_metrics(Target(url))
    after.subtract(before)
    assert {event: count for event, count in after.items() if count} == {"requests GET /v1/jobs 200": 1}


def test_a_plan_that_locust_refuses_is_an_error_with_its_last_line() -> None:
    with pytest.raises(GeneratorError, match="left no recording"):
        generate(Load(Plan(1, "nobody", [Phase(1, 0.1)])), "http://127.0.0.1:9", lambda _: None)


def test_an_absent_service_is_recorded_as_failures() -> None:
    recording = generate(
        Load(Plan(2, "classify", [Phase(20, 0.5)]), Path("none")), "http://127.0.0.1:9", lambda _: None
    )
    assert {visit.outcome for visit in recording.visits} == {VisitOutcome.FAILED}
    assert {visit.kind for visit in recording.visits} == {VisitKind.CLASSIFY}
    assert {status for _, _, status in recording.requests} == {0}
