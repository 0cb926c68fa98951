"""A whole service of one's own: `verdict run` on a temporary home, whose processes can be frozen and killed.

Called by benchmarks.service.bench, benchmarks.faults.drill and tests.faults. Its supervisor starts again whatever dies,
as it does for a user; nothing here helps it.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import Signals
from typing import TypeVar

from benchmarks.common.processes import Part, parts
from local import embedded
from local.supervisor import Command, spawn
from settings import ROOT

READY_SECONDS = 120.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.01

T = TypeVar("T")


class StackError(Exception):
    """The service did not start, or something about it did not come true in time."""


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
        """Of its PostgreSQL."""
        return (self.home / "postgres.url").read_text().strip()

    @property
    def redis_url(self) -> str:
        """Of its Valkey."""
        return (self.home / "valkey.url").read_text().strip()

    def pids(self, part: Part) -> list[int]:
        """The processes of a part that run now, the parent first."""
        return parts(self.pid).get(part, [])

    def signal(self, part: Part, number: Signals, *, group: bool = False) -> int:
        """Signal the first process of a part, or its whole group; its id."""
        pid = wait_until(lambda: self.pids(part), f"{part} runs")[0]
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(pid, number)
        return pid

    def said(self) -> str:
        """What the supervisor has said so far."""
        return (self.home / "run.log").read_text()

    def is_ready(self) -> bool:
        """Whether `/readyz` says so."""
        if self._process.poll() is not None:
            raise StackError(f"`verdict run` ended: {self.said()}")
        return is_ready(self._port)


def is_ready(port: int) -> bool:
    """Whether the service on a port of this machine says at `/readyz` that it is."""
    connection = http.client.HTTPConnection(embedded.LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


#: Settings of a service that refuses nobody, however long the wait is: for what is measured or broken beyond it.
UNBOUNDED = {"ADMIT_INTERACTIVE_SECONDS": "3600"}


@contextmanager
def running_stack(env: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Run a service, with `env` on top of this process's own, until the block ends; yields it when it is ready."""
    with tempfile.TemporaryDirectory(prefix="verdict-", ignore_cleanup_errors=True) as folder:
        home, port = Path(folder), embedded.free_port()
        # The owner of the PostgreSQL files must be able to pass, as in any other home.
        home.chmod(0o711)
        process = spawn(_command(home, port, env or {}), home / "run.log")
        try:
            stack = Stack(process, home, port)
            wait_until(stack.is_ready, "the service is ready", READY_SECONDS)
            yield stack
        finally:
            _stop(process)


def _command(home: Path, port: int, env: Mapping[str, str]) -> Command:
    own = {"VERDICT_HOME": str(home), "HOST": embedded.LOOPBACK, "PORT": str(port), "DATABASE_URL": "", "REDIS_URL": ""}
    own["PREDICTION_CACHE_ROWS"] = "0"  # the same texts come again and again, and what is measured is their inference
    # Ended in order also when we are killed ourselves.
    return Command(
        "verdict", (sys.executable, "-m", "cli.main", "run"), 0, own | dict(env), ROOT, orphan_signal=Signals.SIGINT
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for pids in parts(process.pid).values():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, Signals.SIGCONT)  # what a drill froze could not end
    process.send_signal(Signals.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # the kernel ends its children with it
        process.wait()


def wait_until(condition: Callable[[], T], what: str, seconds: float = 30.0) -> T:
    """What `condition` returns as soon as that is true.

    Raises:
        StackError: the time is up.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise StackError(f"not within {seconds:g} s: {what}")
        time.sleep(POLL_SECONDS)
    return value
