"""A Prometheus beside a stack, with our own rules: which alerts are raised. None where the program is not installed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import yaml

from benchmarks.common.stack import Stack, wait_until
from local import embedded
from local.supervisor import Command, spawn
from settings import ROOT

RULES = ROOT / "monitoring" / "prometheus" / "rules"
EVERY = {
    "scrape_interval": "2s",
    "scrape_timeout": "2s",
    "evaluation_interval": "1s",
}  # /metrics may wait 1 s for a store
RAISED = 'ALERTS{alertname=~"Verdict.*"}'
MET = "min(verdict:target:met1h)"


class Alerts:
    """What a Prometheus says."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)

    def raised(self) -> dict[str, str]:
        """Name and severity of each alert whose condition holds, whether for long enough to be sent or not yet."""
        return {each["alertname"]: each["severity"] for each, _ in self._query(RAISED)}

    def is_met(self) -> bool | None:
        """Whether every target is met, by the recording rules; None where none can be judged."""
        values = [value for _, value in self._query(MET)]
        return bool(values[0]) if values else None

    def _query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        answer = self._client.get("/api/v1/query", params={"query": expression})
        found = answer.raise_for_status().json()["data"]["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def is_ready(self) -> bool:
        """Whether it has scraped the service."""
        with suppress(httpx.HTTPError):
            return bool(self._query('up{job="worker"} == 1'))
        return False


@contextmanager
def watching(stack: Stack, folder: Path) -> Iterator[Alerts | None]:
    """Watch a stack until the block ends."""
    program = shutil.which("prometheus")
    if program is None:
        yield None
        return
    config = folder / "prometheus.yml"
    scraped = {"job_name": "verdict", "file_sd_configs": [{"files": [str(stack.home / "prometheus.json")]}]}
    config.write_text(yaml.safe_dump({"global": EVERY, "rule_files": [f"{RULES}/*.yml"], "scrape_configs": [scraped]}))
    address = f"{embedded.LOOPBACK}:{embedded.free_port()}"
    options = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}")
    process = spawn(Command("prometheus", (program, *options, "--log.level=warn"), 0), folder / "prometheus.log")
    try:
        alerts = Alerts(f"http://{address}")
        wait_until(alerts.is_ready, "Prometheus has scraped the worker", 60)
        yield alerts
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
