"""A whole service: `verdict run` on a temporary home, whose processes can be frozen and killed.

Its supervisor restarts dead processes, as it does for a user; nothing here helps it.
"""

import http.client
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import Signals

import psycopg

from benchmarks.common.processes import Part, parts, running
from benchmarks.common.waiting import wait_until
from local import embedded
from local.supervisor import Command
from settings import ROOT

READY_SECONDS = 120.0


class StackError(Exception):
    """The service did not start, or ended."""


class Stack:
    """A running service."""

    def __init__(self, process: "subprocess.Popen[bytes]", home: Path, port: int) -> None:
        self.url = f"http://{embedded.LOOPBACK}:{port}"
        self.pid = process.pid
        self.home = home
        self._process = process
        self._port = port

    @property
    def database_url(self) -> str:
        """The URL of its PostgreSQL."""
        return (self.home / "postgres.url").read_text().strip()

    @property
    def redis_url(self) -> str:
        """The URL of its Valkey."""
        return (self.home / "valkey.url").read_text().strip()

    def pids(self, part: Part) -> list[int]:
        """Return the ids of the running processes of a part, the parent first."""
        return parts(self.pid).get(part, [])

    def signal(self, part: Part, number: Signals, *, group: bool = False) -> int:
        """Signal the first process of a part, or its whole group; return its id."""
        pid = wait_until(lambda: self.pids(part), f"{part} runs")[0]
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(pid, number)
        return pid

    def count(self, query: str) -> int:
        """Return the number that a query yields; 0 for NULL or no row."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(query.encode()).fetchone()
        return int(row[0] or 0) if row else 0

    def log(self) -> str:
        """Return the output of the supervisor so far."""
        return (self.home / "run.log").read_text()

    def is_ready(self) -> bool:
        """Return whether `/readyz` answers 200.

        Raises:
            StackError: the service has ended.
        """
        if self._process.poll() is not None:
            raise StackError(f"`verdict run` ended: {self.log()}")
        return is_ready(self._port)


def is_ready(port: int) -> bool:
    """Return whether `/readyz` of the service on a local port answers 200."""
    connection = http.client.HTTPConnection(embedded.LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


#: Settings of a service that refuses no job, however long the queue is: for figures and faults beyond its capacity.
UNBOUNDED = {"ADMIT_INTERACTIVE_SECONDS": "3600"}


@contextmanager
def running_stack(env: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Run a service until the block ends, with `env` added to the environment; yield it when it is ready."""
    with tempfile.TemporaryDirectory(prefix="verdict-", ignore_cleanup_errors=True) as folder:
        home, port = Path(folder), embedded.free_port()
        home.chmod(0o711)  # the owner of PostgreSQL's files must be able to pass
        with running(_command(home, port, env or {}), home / "run.log") as process:
            try:
                stack = Stack(process, home, port)
                wait_until(stack.is_ready, "the service is ready", READY_SECONDS)
                yield stack
            finally:
                _thaw(process.pid)


def _command(home: Path, port: int, env: Mapping[str, str]) -> Command:
    own = {"VERDICT_HOME": str(home), "HOST": embedded.LOOPBACK, "PORT": str(port), "DATABASE_URL": "", "REDIS_URL": ""}
    own["PREDICTION_CACHE_ROWS"] = "0"  # texts repeat, and each is to be predicted
    # The service stops in order also if this process is killed.
    argv, stop = (sys.executable, "-m", "cli.main", "run"), Signals.SIGINT
    return Command("verdict", argv, 0, own | dict(env), ROOT, stop_signal=stop, orphan_signal=stop)


def _thaw(root: int) -> None:
    """Let processes continue that a drill has frozen; otherwise they could not end."""
    for pids in parts(root).values():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, Signals.SIGCONT)
