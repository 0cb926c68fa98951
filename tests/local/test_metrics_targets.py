"""Addresses for the metrics of each process, and the file with them for Prometheus."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import embedded, metrics_targets
from local.errors import LocalError
from settings import MetricsSettings

NAMES = ["maintenance", "worker-1", "worker-2"]


@pytest.fixture
def taken() -> Iterator[int]:
    """Yield a port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_every_process_has_a_free_port_of_its_own(taken: int) -> None:
    found = metrics_targets.exporters(MetricsSettings(), NAMES, taken)
    assert list(found) == NAMES
    assert {host for host, _ in found.values()} == {"127.0.0.1"}
    assert len({port for _, port in found.values()} | {taken}) == 4


def test_given_a_port_the_others_follow() -> None:
    port = embedded.free_port()
    found = metrics_targets.exporters(MetricsSettings(metrics_port=port), NAMES[:1], 1)
    assert found == {"maintenance": ("127.0.0.1", port)}


def test_a_port_in_use_is_named_with_its_setting(taken: int) -> None:
    with pytest.raises(LocalError, match=rf"port {taken} of 127\.0\.0\.1 is not available .* METRICS_PORT"):
        metrics_targets.exporters(MetricsSettings(metrics_port=taken), NAMES, 1)


def test_the_port_of_the_api_is_refused() -> None:
    port = embedded.free_port()
    with pytest.raises(LocalError, match="belongs to the API"):
        metrics_targets.exporters(MetricsSettings(metrics_port=port), NAMES, port)


def test_ports_beyond_the_last_are_refused() -> None:
    with pytest.raises(LocalError, match="METRICS_PORT=65534 leaves no room for 3 processes"):
        metrics_targets.exporters(MetricsSettings(metrics_port=65_534), NAMES, 1)


def test_a_wrong_host_is_named_with_its_setting() -> None:
    with pytest.raises(LocalError, match=r"METRICS_HOST=nowhere\.invalid is not an address"):
        metrics_targets.exporters(MetricsSettings(metrics_host="nowhere.invalid"), NAMES, 1)


def test_the_file_names_every_process_by_its_job(tmp_path: Path) -> None:
    exporters = {"maintenance": ("127.0.0.1", 1), "worker-1": ("::", 2), "worker-2": ("10.0.0.1", 3)}
    written = metrics_targets.write(tmp_path, ("0.0.0.0", 8000), exporters)  # noqa: S104  compared, not bound
    assert json.loads(written.read_text()) == [
        {"targets": ["127.0.0.1:8000"], "labels": {"job": "api"}},
        {"targets": ["[::1]:2", "10.0.0.1:3"], "labels": {"job": "worker"}},
        {"targets": ["127.0.0.1:1"], "labels": {"job": "maintenance"}},
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["prometheus.json"]
