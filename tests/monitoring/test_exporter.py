"""Worker and maintenance serve their metrics at their own port, and also work without one."""

import json
import re
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
import structlog
from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase

from local import embedded
from monitoring import exporter, metrics
from monitoring.registries import API, MAINTENANCE, WORKER, registry
from settings import ROOT, MetricsSettings
from tests.conftest import wait_until

Serve = Callable[[int], None]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves on a port until the test ends."""
    stops = []
    yield lambda port: stops.append(exporter.serve(MetricsSettings(metrics_port=port), registry(MAINTENANCE)))
    for stop in stops:
        stop()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200
    except httpx.ConnectError:
        return False


def test_metrics_are_served_until_stopped() -> None:
    port = embedded.free_port()
    stop = exporter.serve(MetricsSettings(metrics_port=port), registry(WORKER))
    wait_until(lambda: answers(port))
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert "verdict_worker_ready" in text
    assert "verdict_container_memory_limit_bytes" in text
    assert "_created" not in text
    stop()
    assert not answers(port)


def test_metrics_of_other_processes_are_not_served(serve: Serve) -> None:
    metrics.WORKERS_LIVE.clear()  # the API of another test may have set it in this process
    port = embedded.free_port()
    serve(port)
    wait_until(lambda: answers(port))
    shown = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    others = ("verdict_store_up", "verdict_worker_ready", "verdict_workers_live")
    assert [line for line in shown.splitlines() if line.startswith(others)] == []


@pytest.mark.parametrize(("folder", "served"), [("api", API), ("worker", WORKER), ("maintenance", MAINTENANCE)])
def test_a_process_serves_the_metrics_that_its_code_measures_and_no_others(
    folder: str, served: tuple[MetricWrapperBase, ...]
) -> None:
    shared = ("broker", "db")  # their code runs in every process
    code = "".join(path.read_text() for each in (folder, *shared) for path in (ROOT / each).rglob("*.py"))
    ours = {name: each for name, each in vars(metrics).items() if isinstance(each, MetricWrapperBase)}
    measured = {name for name in ours if re.search(rf"\b{name}\b", code)}
    assert {name for name, each in ours.items() if each in served} == measured
    assert len(served) == len(set(served))


def test_two_registries_of_one_process_are_independent() -> None:
    for each in (registry(WORKER), registry(WORKER)):
        assert generate_latest(each).count(b"# HELP verdict_container_cpu_limit_cores") == 1


def test_only_this_machine_can_connect(serve: Serve) -> None:
    port = embedded.free_port()
    serve(port)
    wait_until(lambda: answers(port))
    with socket.socket() as other, pytest.raises(OSError, match="refused"):
        other.connect(("127.0.0.2", port))


def test_without_a_port_nothing_is_served(serve: Serve) -> None:
    serve(0)


def test_a_port_in_use_is_logged_once_and_used_when_it_is_free(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "RETRY_SECONDS", 0.05)
    with structlog.testing.capture_logs() as lines:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            serve(port)
            wait_until(lambda: lines)
        wait_until(lambda: answers(port))
        wait_until(lambda: len(lines) > 1)
    assert [(line["event"], line["port"]) for line in lines] == [
        ("metrics_not_served", port),
        ("metrics_served", port),
    ], json.dumps(lines, default=str)
