"""The number of workers that the queries ask for, computed by promtool from invented series."""

import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from settings import ROOT
from tests.kubernetes.reading import named, of_kind, queries, written

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool comes with Debian's prometheus")

BACKLOG = 'verdict_backlog_tokens{{model="default",lane="{}"}}'
CAPACITY = 'verdict_capacity_tokens_per_second{model="default"}'
WORKERS = 'verdict_workers_live{model="default"}'
UP = {
    BACKLOG.format("interactive"): "0x20",
    BACKLOG.format("bulk"): "0x20",
    CAPACITY: "93600x20",
    WORKERS: "2x20",
    # Another model, which must not count here.
    'verdict_backlog_tokens{model="other",lane="bulk"}': "99999999x20",
    'verdict_capacity_tokens_per_second{model="other"}': "1x20",
    'verdict_workers_live{model="other"}': "9x20",
}
BUSY = 'verdict_container_cpu_seconds_total{{job="worker",pod="{}"}}'
SERVES = 'verdict_model_info{{job="worker",pod="{}",model="{}"}}'
STARTED = 'verdict_queue_seconds_count{{model="{}",lane="{}"}}'


def value(tmp_path: Path, query: str, series: dict[str, str]) -> float | None:
    """Return the value of a query after five minutes of these series; None if it is empty."""
    given = [{"series": name, "values": values} for name, values in series.items()]
    # The expected value is wrong on purpose: promtool then prints the real one.
    asked = [{"expr": query, "eval_time": "5m", "exp_samples": [{"value": -1}]}]
    test = {"interval": "15s", "input_series": given, "promql_expr_test": asked}
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    found = re.search(r"got: (?:nil|\{\} (\S+))$", done.stdout + done.stderr, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return float(found[1]) if found[1] else None


@needs_promtool
@pytest.mark.parametrize(
    ("changed", "seconds"),
    [
        ({}, 0.0),
        # 468,000 tokens at 46,800 a second: ten seconds of one worker, however many there are.
        ({BACKLOG.format("bulk"): "468000x20"}, 10.0),
        # Every API process exports the same backlog; it counts once.
        (
            {
                'verdict_backlog_tokens{model="default",lane="bulk",pod="a"}': "468000x20",
                'verdict_backlog_tokens{model="default",lane="bulk",pod="b"}': "468000x20",
            },
            10.0,
        ),
        # No worker exports its rate.
        (
            {
                BACKLOG.format("bulk"): "468000x20",
                CAPACITY: "0x20",
                WORKERS: "0x20",
            },
            10.0,
        ),
    ],
)
def test_the_backlog_is_seconds_of_one_worker(tmp_path: Path, changed: dict[str, str], seconds: float) -> None:
    found = value(tmp_path, dict(queries())["worker backlog"], UP | changed)
    assert found is not None
    assert math.isclose(found, seconds)


@needs_promtool
def test_without_postgresql_the_query_is_empty_and_nothing_is_scaled(tmp_path: Path) -> None:
    away = {'verdict_store_up{job="api"}': "0x20"}
    assert value(tmp_path, dict(queries())["worker backlog"], away) is None
    assert value(tmp_path, dict(queries())["worker-gpu bulk"], away) is None


@needs_promtool
@pytest.mark.parametrize(
    ("interactive", "bulk", "cores"),
    [
        ("0+0x20", "0+0x20", 0.0),
        ("0+150x20", "0+0x20", 3.0),
        ("0+0x20", "0+150x20", 0.0),
        ("0+150x20", "0+150x20", 1.5),
    ],
    ids=["idle", "interactive", "bulk", "both"],
)
def test_only_interactive_reviews_make_workers_busy(tmp_path: Path, interactive: str, bulk: str, cores: float) -> None:
    # Two workers of this model and one of another, 1.5 cores each.
    series = {BUSY.format(pod): "0+22.5x20" for pod in "abc"}
    series |= {SERVES.format("a", "default"): "1x20", SERVES.format("b", "default"): "1x20"}
    series |= {SERVES.format("c", "other"): "1x20", STARTED.format("other", "interactive"): "0+900x20"}
    series |= {STARTED.format("default", "interactive"): interactive, STARTED.format("default", "bulk"): bulk}
    found = value(tmp_path, dict(queries())["worker interactive"], series)
    assert found is not None
    assert math.isclose(found, cores, abs_tol=1e-9)


def test_workers_are_scaled_by_the_model_that_they_serve() -> None:
    image = (ROOT / "Dockerfile.worker").read_text()
    named = {model for _, query in queries() for model in re.findall(r'model="([^"]+)"', query)}
    assert named == set(re.findall(r"^ARG MODEL=(\w+)$", image, re.MULTILINE))
    for _, query in queries():
        for series in re.findall(r"verdict_(?:backlog|capacity|workers|queue)\w*(?:{[^}]*})?", query):
            assert 'model="' in series, series


def test_one_worker_is_never_alone_and_a_gpu_is_not_kept() -> None:
    bounds = {each["metadata"]["name"]: each["spec"] for each in of_kind(written(), "ScaledObject")}
    assert bounds["worker"]["minReplicaCount"] >= 2
    assert bounds["worker-gpu"]["minReplicaCount"] == 0
    assert named(written(), "HorizontalPodAutoscaler", "api")["spec"]["minReplicas"] >= 2


@pytest.mark.parametrize("scaled", of_kind(written(), "ScaledObject"), ids=lambda each: each["metadata"]["name"])
def test_a_query_that_finds_nothing_changes_nothing(
    scaled: dict[str, dict[str, list[dict[str, dict[str, str]]]]],
) -> None:
    assert {each["metadata"]["ignoreNullValues"] for each in scaled["spec"]["triggers"]} == {"false"}
