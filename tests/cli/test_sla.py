"""`verdict sla`: the result as text, JSON and exit code, from the service and from a real Prometheus."""

import json
import math
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.main import COMMANDS, HELP
from db.engine import Engine
from local import embedded
from local.supervisor import Command, spawn
from tests.conftest import wait_until
from tests.db.steps import broken, complete, must_claim, run, submit
from verdict_cli.main import application
from verdict_cli.output import CommandError

Verdict = Callable[..., Result]
TARGETS = ["request_failures", "result_failures", "mean_latency", "p95_latency", "accuracy", "waiting"]
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="Debian's package `prometheus` is missing")


@pytest.fixture
def verdict() -> Verdict:
    """Return a function that runs `verdict sla …` and raises its CommandError."""
    app = application(HELP, COMMANDS, "sla")

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, ["sla", *words], catch_exceptions=False, env={"COLUMNS": "200"})

    return invoke


def test_a_service_that_has_done_nothing_misses_nothing(verdict: Verdict, url: str) -> None:
    done = verdict("--url", url)
    assert done.exit_code == 0
    assert "The last 1h: No data for any target" in done.stdout


def test_a_window_may_be_given_in_seconds(verdict: Verdict, url: str) -> None:
    assert "The last 90s: No data for any target" in verdict("--url", url, "--window", "90s").stdout


def test_a_breach_is_exit_code_1_and_named(verdict: Verdict, url: str, engine: Engine, model_id: int) -> None:
    submit(engine)
    claim = must_claim(engine)
    complete(engine, claim.token, model_id, [broken(claim.reviews[0])], last=True)
    done = verdict("--url", url, "--window", "5m")
    assert done.exit_code == 1
    assert "The last 5m: Missed: failed results" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if "Failed results" in line]
    assert all(words in line for words in ("100.00%", "≤ 1.00%", "MISSED", "-9900%"))


def test_an_outage_is_exit_code_1_and_the_first_line(verdict: Verdict, url: str, engine: Engine) -> None:
    submit(engine)
    run(engine, "DELETE FROM workers")
    done = verdict("--url", url)
    assert done.exit_code == 1
    said = " ".join(done.stdout.split())
    assert "The last 1h: No worker is live: 1 review waits, the oldest for 0 s; they are kept" in said


def test_json_equals_the_answer_of_the_service(verdict: Verdict, url: str) -> None:
    printed = verdict("--url", url, "--json").stdout.splitlines()[-1]  # the log of the test's API comes before it
    found, said = json.loads(printed), httpx.get(f"{url}/v1/sla").json()
    assert found.keys() == said.keys()
    assert found["targets"][1:] == said["targets"][1:]  # the query itself is a request
    assert [each["name"] for each in found["targets"]] == TARGETS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--url", "http://127.0.0.1:9"),
            "nothing answers at http://127.0.0.1:9; start the service with `verdict run`",
        ),
        (("--url", "localhost"), "'localhost' is not an address"),
        (("--prometheus", "http://127.0.0.1:9"), "is --prometheus the address of a Prometheus?"),
        (("--prometheus", "ftp://a"), "'ftp://a' is not an address"),
        (("--window", "2w"), "--window 2w: must be a number with s, m, h or d"),
        (("--window", "31d"), "from 1m to 30d"),
    ],
)
def test_a_wrong_source_or_window_is_one_line(verdict: Verdict, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError) as raised:
        verdict(*words)
    assert (said in str(raised.value), raised.value.exit_code) == (True, 2), raised.value


def test_a_server_that_is_not_prometheus_is_named(verdict: Verdict, url: str) -> None:
    with pytest.raises(CommandError, match="Not Found"):
        verdict("--prometheus", url)


class Exposed:
    """Series for a Prometheus to scrape, as the processes of a service would serve them."""

    def __init__(self) -> None:
        self.series: dict[str, float] = {}
        self.scrapes = 0

    def text(self) -> str:
        return "".join(f"{name} {value}\n" for name, value in self.series.items())

    def scraped_again(self) -> None:
        """Wait until the present series were scraped twice."""
        seen = self.scrapes
        wait_until(lambda: self.scrapes >= seen + 3)


@contextmanager
def exposing(exposed: Exposed) -> Iterator[str]:
    """Serve the series; yield host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            exposed.scrapes += 1
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(exposed.text().encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Run a real Prometheus that scrapes the target five times a second; yield its URL."""
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        f"scrape_configs: [{{job_name: api, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    port = embedded.free_port()
    argv = (
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    process = spawn(Command("prometheus", argv, 0), folder / "prometheus.log")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def exposed() -> Exposed:
    """Return the series of a process that started within the window and is idle."""
    exposed = Exposed()
    exposed.series = {
        "process_start_time_seconds": math.inf,
        "verdict_container_memory_bytes": 250e6,
        "verdict_container_memory_limit_bytes": 1e9,
        "verdict_container_cpu_seconds_total": 10,
        "verdict_container_cpu_limit_cores": 2,
        requests("200"): 0,
        rows("succeeded"): 0,
    }
    exposed.series |= results(fast=0, slow=0, seconds=0)
    return exposed


def requests(status: str, route: str = "/v1/jobs") -> str:
    return f'verdict_http_requests_total{{method="POST",route="{route}",status="{status}"}}'


def rows(status: str, reason: str = "") -> str:
    return f'verdict_results_total{{lane="interactive",status="{status}",reason="{reason}"}}'


def results(*, fast: float, slow: float, seconds: float) -> dict[str, float]:
    buckets = {"0.2": fast, "0.5": fast, "0.75": fast + slow, "+Inf": fast + slow}
    of = '{lane="interactive",model="default"'
    return {
        **{f'verdict_result_seconds_bucket{of},le="{edge}"}}': value for edge, value in buckets.items()},
        f"verdict_result_seconds_count{of}}}": fast + slow,
        f"verdict_result_seconds_sum{of}}}": seconds,
    }


@needs_prometheus
def test_a_prometheus_gives_the_same_with_memory_and_cpu(verdict: Verdict, exposed: Exposed, tmp_path: Path) -> None:
    with exposing(exposed) as target, prometheus(tmp_path, target) as url:
        exposed.scraped_again()
        exposed.series |= results(fast=180, slow=20, seconds=30)
        # Three kinds of failures, once each; `increase` alone would count none.
        exposed.series |= {
            requests("200"): 600,
            requests("429"): 97,
            requests("500"): 1,
            requests("503"): 1,
            requests("504", "/v1/classify"): 1,
            requests("503", "/readyz"): 50,
            rows("succeeded"): 197,
            rows("expired"): 2,
            rows("failed", "exhausted"): 1,
            rows("failed", "invalid"): 70,
            rows("cancelled"): 70,
            'verdict_feedback_total{model="default",agrees="true"}': 27,
            'verdict_feedback_total{model="default",agrees="false"}': 3,
        }
        exposed.scraped_again()
        done = verdict("--prometheus", url, "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)["targets"]}
    assert done.exit_code == 1
    assert list(found) == [*TARGETS, "memory", "cpu"]
    assert found["request_failures"]["missed"] == 3
    assert found["request_failures"]["counted"] == pytest.approx(700, rel=0.2)
    assert found["request_failures"]["met"]
    assert found["result_failures"]["missed"] == 3
    assert not found["result_failures"]["met"]
    assert found["mean_latency"]["figure"] == pytest.approx(150, rel=0.05)
    assert 500 < found["p95_latency"]["figure"] < 750
    assert found["p95_latency"]["budget_left"] == pytest.approx(-1, rel=0.2)
    assert (found["accuracy"]["figure"], found["accuracy"]["met"]) == (0.9, True)
    assert (found["memory"]["figure"], found["memory"]["met"]) == (0.25, True)
    assert found["cpu"]["met"]


@needs_prometheus
def test_a_prometheus_reports_an_outage_too(verdict: Verdict, exposed: Exposed, tmp_path: Path) -> None:
    with exposing(exposed) as target, prometheus(tmp_path, target) as url:
        exposed.series |= {
            "verdict_overdue_reviews": 5,
            "verdict_overdue_review_seconds": 400,
            "verdict_unfinished_rows": 6,
            "verdict_stranded_rows": 5,
            "verdict_stranded_oldest_seconds": 80,
            "verdict_workers_live": 0,
        }
        exposed.scraped_again()
        done = verdict("--prometheus", url, "--json")
    said = json.loads(done.stdout)
    found = {each["name"]: each for each in said["targets"]}
    assert done.exit_code == 1
    assert said["headline"] == "No worker is live: 5 reviews wait, the oldest for 80 s; they are kept"
    assert (found["mean_latency"]["figure"], found["mean_latency"]["met"]) == (80_000, False)
    assert (found["p95_latency"]["figure"], found["p95_latency"]["missed"]) == (80_000, 5)
    assert (found["waiting"]["missed"], found["waiting"]["counted"], found["waiting"]["met"]) == (5, 6, False)


@needs_prometheus
def test_a_prometheus_without_our_processes_is_refused(verdict: Verdict, tmp_path: Path) -> None:
    with prometheus(tmp_path, "127.0.0.1:9") as url:
        wait_until(lambda: _is_ready(url))
        with pytest.raises(CommandError, match="has scraped no process of Verdict in the last 1h"):
            verdict("--prometheus", url)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").is_success
    except httpx.HTTPError:
        return False
