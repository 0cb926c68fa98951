"""A real Prometheus on a free port, with the rules of monitoring/prometheus, if wanted with shorter durations."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from local import embedded
from local.supervisor import Command, spawn
from tests.conftest import wait_until
from tests.monitoring.rules import RULES, divided

# The API's /metrics may wait a second for a stopped PostgreSQL.
SCRAPE = {"scrape_interval": "1500ms", "scrape_timeout": "1500ms", "evaluation_interval": "500ms"}

needs_prometheus = pytest.mark.skipif(
    not shutil.which("prometheus"), reason="prometheus is not installed; Debian's package has it"
)


class Prometheus:
    """A running Prometheus and its answers."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, path: str, **params: str) -> Any:
        """Return the data of an answer of the HTTP API."""
        answer = self._client.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def values(self, expression: str) -> list[float]:
        """Return the present values of an expression by series; NaN counts as absent."""
        found = (float(each["value"][1]) for each in self.ask("query", query=expression)["result"])
        return [value for value in found if math.isfinite(value)]

    def firing(self) -> set[tuple[str, str, str]]:
        """Return name, severity and long window, if any, of the firing alerts."""
        return {
            (each["labels"]["alertname"], each["labels"]["severity"], each["labels"].get("window", ""))
            for each in self.ask("alerts")["alerts"]
            if each["state"] == "firing"
        }

    def down(self) -> list[str]:
        """Return the error of each unreachable target."""
        targets = self.ask("targets", state="active")["activeTargets"]
        return [str(each["lastError"]) for each in targets if each["health"] != "up"] if targets else ["no targets yet"]

    def is_ready(self) -> bool:
        """Return whether Prometheus answers."""
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


def targets_file(path: Path, addresses: Mapping[str, str]) -> Path:
    """Write a file of targets as `verdict run` does: an address for each job."""
    path.write_text(json.dumps([{"targets": [address], "labels": {"job": job}} for job, address in addresses.items()]))
    return path


@contextmanager
def prometheus(folder: Path, targets: Path, divided_by: float) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes the targets in a file, until the block ends."""
    folder.mkdir()
    for path in RULES:
        (folder / path.name).write_text(yaml.safe_dump(divided(path, divided_by)))
    scraped = {"job_name": "verdict", "file_sd_configs": [{"files": [str(targets)]}]}
    config = {"global": SCRAPE, "rule_files": [path.name for path in RULES], "scrape_configs": [scraped]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address, log = f"{embedded.LOOPBACK}:{embedded.free_port()}", folder / "prometheus.log"
    process = spawn(_command(folder, address), log)
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=10) as client:
            server = Prometheus(client)
            wait_until(lambda: process.poll() is not None or server.is_ready())
            assert process.poll() is None, log.read_text()
            yield server
    finally:
        process.terminate()
        process.wait(30)


def _command(folder: Path, address: str) -> Command:
    data = f"--storage.tsdb.path={folder / 'data'}"
    listen = f"--web.listen-address={address}"
    config = f"--config.file={folder / 'prometheus.yml'}"
    return Command("prometheus", ("prometheus", config, data, listen, "--log.level=warn"), 0)
