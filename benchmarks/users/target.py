"""The service that a load is put on: where it is, and what else of it can be reached from here.

Made by benchmarks.users.campaign, from a URL or from a service of its own; read by benchmarks.users.resource_usage,
benchmarks.users.reconcile and benchmarks.users.trial.
"""

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
    """A running service. Without `home` and `root` only what HTTP says is known.

    A `foreign` one is no Verdict: it has no metrics, and what it is asked is counted by the load generator alone.
    """

    url: str
    home: Path | None = None
    root: int | None = None  #: process of its `verdict run`
    database_url: str | None = None
    prometheus: str | None = None  #: URL of a real one that scrapes it
    foreign: bool = False

    def metrics_urls(self) -> list[str]:
        """Where its processes serve their metrics: the API, and what `verdict run` has written down."""
        found = _endpoints(self.home / METRICS) if self.home else []
        return list(dict.fromkeys([f"{self.url}/metrics", *(f"http://{each}/metrics" for each in found)]))


def _endpoints(path: Path) -> list[str]:
    """Of workers and maintenance; the API's own is known."""
    with suppress(FileNotFoundError):
        groups = json.loads(path.read_text())
        return [each for group in groups if group["labels"].get("job") != "api" for each in group["targets"]]
    return []


@contextmanager
def own_target(prometheus: str | None) -> Iterator[Target]:
    """A service of our own, from empty, until the block ends."""
    with running_stack() as stack:
        yield Target(stack.url, stack.home, stack.pid, stack.database_url, prometheus)


def target_at(url: str, home: Path, prometheus: str | None) -> Target:
    """The service at `url`, with its store and its processes if they are those of `home` on this machine."""
    url = url.rstrip("/")
    root = _running(home)
    if root is None or not _listens(root, urlsplit(url).port):
        return Target(url, database_url=os.environ.get("DATABASE_URL"), prometheus=prometheus)
    database_url = os.environ.get("DATABASE_URL") or (home / "postgres.url").read_text().strip()
    return Target(url, home, root, database_url, prometheus)


def _running(home: Path) -> int | None:
    """The process of `verdict run` on that home."""
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
