"""A Prometheus beside a stack, with the rules of the repository: the alerts that it raises."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import yaml

from benchmarks.common.processes import running
from benchmarks.common.stack import Stack
from benchmarks.common.waiting import wait_until
from local import embedded
from local.supervisor import Command
from settings import ROOT

RULES = ROOT / "monitoring" / "prometheus" / "rules"
# /metrics may wait 1 s for PostgreSQL.
EVERY = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
RAISED = 'ALERTS{alertname=~"Verdict.*"}'
MET = "min(verdict:target:met1h)"


class Alerts:
    """The queries to a Prometheus."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)

    def raised(self) -> dict[str, str]:
        """Return name and severity of each pending or firing alert."""
        return {each["alertname"]: each["severity"] for each, _ in self._query(RAISED)}

    def is_met(self) -> bool | None:
        """Return whether the recording rules show every target as met; None if no target has data."""
        values = [value for _, value in self._query(MET)]
        return bool(values[0]) if values else None

    def _query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        answer = self._client.get("/api/v1/query", params={"query": expression})
        found = answer.raise_for_status().json()["data"]["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def is_ready(self) -> bool:
        """Return whether it has scraped the worker."""
        with suppress(httpx.HTTPError):
            return bool(self._query('up{job="worker"} == 1'))
        return False


@contextmanager
def watching(stack: Stack, folder: Path) -> Iterator[Alerts | None]:
    """Run a Prometheus on a stack until the block ends; yield None if the program is not installed."""
    program = shutil.which("prometheus")
    if program is None:
        yield None
        return
    config = folder / "prometheus.yml"
    scraped = {"job_name": "verdict", "file_sd_configs": [{"files": [str(stack.home / "prometheus.json")]}]}
    config.write_text(yaml.safe_dump({"global": EVERY, "rule_files": [f"{RULES}/*.yml"], "scrape_configs": [scraped]}))
    address = f"{embedded.LOOPBACK}:{embedded.free_port()}"
    options = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}")
    with running(Command("prometheus", (program, *options, "--log.level=warn"), 0), folder / "prometheus.log"):
        alerts = Alerts(f"http://{address}")
        wait_until(alerts.is_ready, "Prometheus has scraped the worker", 60)
        yield alerts
