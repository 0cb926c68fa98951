"""Overload and report of an invented run."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.users.figures import figures
from benchmarks.users.generator import Load
from benchmarks.users.load_report import Report, promises_table
from benchmarks.users.overload import assess, phases
from benchmarks.users.reconcile import ReconciledLine
from benchmarks.users.recording import Recording
from benchmarks.users.resource_usage import Sample
from benchmarks.users.target import Target
from benchmarks.users.trial import LoadTrial
from benchmarks.users.user_model import Plan, Visit
from tests.benchmarks.user_visits import answered, failed, left, refused

PLAN = Plan(10, "singles", phases(10, 3, 100))  # normal until 60, overload until 160, normal until 220
CALM = [answered(second, 0.05) for second in (*range(60), *range(160, 220))]


def trial(visits: list[Visit], **others: Any) -> LoadTrial:
    recording = Recording(PLAN, "some.parquet", 1000.0, visits, Counter({("POST", "/v1/jobs", 200): 4}), [0.5], 0.01)
    made: dict[str, Any] = {
        "target": Target("http://127.0.0.1:1"),
        "load": Load(PLAN),
        "recording": recording,
        "figures": figures(visits, PLAN.seconds),
        "samples": [Sample(1000 + second, {"api": 0.5, "postgres": 0.1}, {"api": 80}, 1.5) for second in range(3)],
        "lines": [ReconciledLine("jobs interactive", 4, 4, 4), ReconciledLine("shed", 1, 2, 1)],
        "scraped_lines": [],
        "stored_mean_ms": 12.5,
        "unfinished": 0,
    }
    return LoadTrial(**made | others)


def held(visits: list[Visit], **others: Any) -> list[bool | None]:
    return [promise.held for promise in assess(trial(visits, **others)).promises()]


def test_an_overload_in_which_every_promise_was_held() -> None:
    rush = [refused(60 + second, told=4, waited=5) for second in range(90)]
    found = assess(trial(CALM + rush))
    assert [promise.held for promise in found.promises()] == [True] * 6
    assert found.attempts_per_second == pytest.approx(1.8)  # 90 refused submissions, and 90 accepted ones
    assert [each.visits for each in found.phases] == [60, 90, 60]


@pytest.mark.parametrize(
    ("visits", "unfinished", "broken"),
    [
        ([failed(100)], 0, 0),
        ([answered(100, 0.3)], 0, 1),
        ([answered(100, 0.6)], 0, 2),
        ([refused(100, told=10, waited=2)], 0, 3),
        ([refused(100, told=2, waited=10)], 0, 3),
        ([], 1, 4),
        ([failed(100, "500 after 202")], 0, 4),
        ([left(175)], 0, 5),
    ],
)
def test_each_broken_promise_shows(visits: list[Visit], unfinished: int, broken: int) -> None:
    if visits and "202" in visits[0].why:
        visits[0].accepted = True
    assert held(CALM + visits, unfinished=unfinished)[broken] is False


def test_a_visit_admitted_after_the_overload_counts() -> None:
    found = assess(trial([*CALM, refused(100, told=4, waited=4), refused(150, told=4, waited=20)]))
    assert (found.refused.admitted, found.refused.ratio) == (2, 3)
    assert found.phases[1].refusals.admitted == 1


def test_without_the_database_the_number_of_lost_reviews_is_unknown() -> None:
    assert held(CALM, unfinished=None)[4] is None


def test_the_report_is_written_with_a_table_of_each_and_a_plot(tmp_path: Path) -> None:
    visits = [*CALM, refused(80, told=2, waited=2), failed(90, "503 gone")]
    report = Report("load", "Load")
    report.trial(trial(visits, warnings=["a thing"], stored_mean_ms=math.nan), "load")
    path = report.write(tmp_path / "new")
    text, content = path.read_text(), json.loads(path.with_suffix(".json").read_text())
    for words in ("60.0% single, waits (1 review)", "30 reviews/s offered", "| shed | 1 | 2 | 1 | **no** |",
                  "| api | 0.50 | 0.50 | 80 |", "| 503 gone | 1 |", "Note: a thing."):  # fmt: skip
        assert words in text
    assert content["load"]["figures"]["visits"] == 122
    assert content["load"]["stored_mean_ms"] is None
    assert [each["held"] for each in content["load"]["sla"]] == [True, True, True]
    [plot] = path.parent.glob("*.png")
    assert plot.name in text
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_promise_without_figures_is_neither_held_nor_broken() -> None:
    assert [row[-1] for row in promises_table(figures([], 1).promises())[1:]] == ["not measured"] * 3
