"""The service under load: its URL, and its database, processes and metrics where they can be reached."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.common.processes import Part, parts
from benchmarks.common.stack import running_stack

METRICS = "prometheus.json"


@dataclass(frozen=True, slots=True)
class Target:
    """A running service; without `home` and `root` it is known by HTTP only.

    A `foreign` service is not Verdict: it has no metrics, so that only the load generator counts.
    """

    url: str
    home: Path | None = None
    root: int | None = None  #: process id of its `verdict run`
    database_url: str | None = None
    prometheus: str | None = None  #: URL of a Prometheus that scrapes it
    foreign: bool = False

    def metrics_urls(self) -> list[str]:
        """Return the URLs of metrics: of the API, and of the processes that `verdict run` has listed."""
        found = _endpoints(self.home / METRICS) if self.home else []
        return list(dict.fromkeys([f"{self.url}/metrics", *(f"http://{each}/metrics" for each in found)]))


def _endpoints(path: Path) -> list[str]:
    """Return the addresses of workers and maintenance."""
    with suppress(FileNotFoundError):
        groups = json.loads(path.read_text())
        return [each for group in groups if group["labels"].get("job") != "api" for each in group["targets"]]
    return []


@contextmanager
def own_target(prometheus: str | None) -> Iterator[Target]:
    """Run a service on an empty database until the block ends."""
    with running_stack() as stack:
        yield Target(stack.url, stack.home, stack.pid, stack.database_url, prometheus)


def target_at(url: str, home: Path, prometheus: str | None) -> Target:
    """Return the service at `url`, with its database and processes if `home` on this machine is its home."""
    url = url.rstrip("/")
    root = _running(home)
    if root is None or not _listens(root, urlsplit(url).port):
        return Target(url, database_url=os.environ.get("DATABASE_URL"), prometheus=prometheus)
    database_url = os.environ.get("DATABASE_URL") or (home / "postgres.url").read_text().strip()
    return Target(url, home, root, database_url, prometheus)


def _running(home: Path) -> int | None:
    """Return the process id of `verdict run` on this home, or None."""
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int((home / "lock").read_text()))
        return process.pid if Part.API in parts(process.pid) else None
    return None


def _listens(root: int, port: int | None) -> bool:
    return any(
        each.status == psutil.CONN_LISTEN and each.laddr.port == port
        for pid in parts(root).get(Part.API, [])
        for each in psutil.Process(pid).net_connections("tcp")
    )
