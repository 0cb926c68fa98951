"""Alerts fire with a real cause and end with it: one sequence, with all durations divided by 60."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.conftest import wait_until
from tests.fakes import POISON
from tests.monitoring.parts import Parts
from tests.monitoring.server import Prometheus, needs_prometheus, prometheus
from tests.servers import RunningServer

DIVIDED_BY = 60
FIRES_SECONDS = 30.0

SLOW = {"VerdictSlowResults", "VerdictMeanLatency"}
PAGES = {
    "worker": {"VerdictNoWorker", "VerdictRowsStranded", "VerdictInteractiveWaits", *SLOW},
    "slow": SLOW,
    "model": {"VerdictResultFailures"},
    "store": {"VerdictStoreDown", "VerdictRequestFailures"},
    "api": {"VerdictApiDown"},
}


@pytest.fixture
def parts(tmp_path: Path, valkey: RunningServer) -> Iterator[Parts]:
    """Yield a service with all processes running."""
    tmp_path.chmod(0o711)  # the owner of PostgreSQL's files must be able to pass this folder
    parts = Parts(tmp_path, valkey.url)
    try:
        parts.start_everything()
        yield parts
    finally:
        parts.close()


@contextmanager
def callers(url: str, text: Callable[[int], str]) -> Iterator[None]:
    """Send a review every 50 ms without waiting for its result; ignore the answers."""
    stopping = threading.Event()

    def call() -> None:
        with httpx.Client(base_url=url, timeout=5) as client:
            for number in count():
                if stopping.wait(0.05):
                    return
                try:
                    client.post("/v1/jobs", json={"reviews": [{"text": text(number)}]})
                except httpx.TransportError:
                    continue

    thread = threading.Thread(target=call)
    thread.start()
    yield
    stopping.set()
    thread.join()


def fine(number: int) -> str:
    """Return a review that the model can classify."""
    return f"A fine film, {number}."


def poisoned(number: int) -> str:
    """Return a review that breaks the model."""
    return f"{POISON} {number}"


def fires(server: Prometheus, *names: str) -> None:
    """Wait until exactly these alerts fire."""
    wait_until(lambda: set(names) <= {name for name, _ in firing(server)}, FIRES_SECONDS)


def pages(server: Prometheus) -> set[str]:
    """Return the names of the firing pages."""
    return {name for name, severity in firing(server) if severity == "page"}


def firing(server: Prometheus) -> set[tuple[str, str]]:
    """Return the firing alerts without the 6 h pages: they last six minutes here, and promtool tests their end."""
    return {(name, severity) for name, severity, window in server.firing() if window != "6h"}


@needs_prometheus
@pytest.mark.timeout(240)
def test_alerts_fire_and_end(parts: Parts, tmp_path: Path) -> None:
    with prometheus(tmp_path / "prometheus", parts.targets, DIVIDED_BY) as server:
        wait_until(lambda: not server.down())
        wait_until(lambda: server.values('verdict_workers_live{job="api"}') == [1.0])
        wait_until(lambda: not server.firing())  # during a slow start no worker is live
        _the_worker_stops(server, parts)
        _its_model_does_not_come(server, parts)
        _the_model_fails(server, parts)
        _the_store_stops(server, parts)
        _the_api_stops(server, parts)


def _the_worker_stops(server: Prometheus, parts: Parts) -> None:
    parts.stop("worker")
    with callers(parts.url, fine):
        fires(server, "VerdictNoWorker", "VerdictInteractiveWaits", "VerdictTargetDown")
    wait_until(lambda: pages(server) == PAGES["worker"], FIRES_SECONDS)
    parts.take_model()


def _its_model_does_not_come(server: Prometheus, parts: Parts) -> None:
    """Reviews that waited meanwhile are slow when they are classified."""
    parts.start("worker")
    fires(server, "VerdictWorkerNotReady")
    wait_until(lambda: pages(server) == PAGES["worker"], FIRES_SECONDS)
    parts.give_model()
    fires(server, *PAGES["slow"])
    with callers(parts.url, fine):
        wait_until(lambda: not pages(server), FIRES_SECONDS)
    tickets = {"VerdictWorkerNotReady", "VerdictTargetDown"}
    wait_until(lambda: not tickets & {name for name, _ in firing(server)}, FIRES_SECONDS)


def _the_model_fails(server: Prometheus, parts: Parts) -> None:
    with callers(parts.url, poisoned):
        fires(server, "VerdictResultFailures")
    wait_until(lambda: pages(server) == PAGES["model"], FIRES_SECONDS)
    with callers(parts.url, fine):
        wait_until(lambda: not pages(server), FIRES_SECONDS)


def _the_store_stops(server: Prometheus, parts: Parts) -> None:
    parts.stop_store()
    with callers(parts.url, fine):
        fires(server, *PAGES["store"])
        wait_until(lambda: pages(server) == PAGES["store"], FIRES_SECONDS)
        parts.start_store()
        wait_until(lambda: not pages(server), FIRES_SECONDS)


def _the_api_stops(server: Prometheus, parts: Parts) -> None:
    parts.stop("api")
    fires(server, "VerdictApiDown")
    wait_until(lambda: pages(server) == PAGES["api"], FIRES_SECONDS)
    parts.start("api")
    wait_until(lambda: not pages(server), FIRES_SECONDS)
