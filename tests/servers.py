"""PostgreSQL, Valkey and complete services for tests, started with the functions of `verdict run`."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

import pytest

from benchmarks.common.stack import Stack, running_stack
from local import embedded
from local.supervisor import Command, spawn
from settings import WorkerSettings

START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """The URL of a server, and its process id, for tests that freeze or kill it."""

    url: str
    pid: int


@contextmanager
def postgres_server(tmp: Path) -> Iterator[str]:
    """Run a PostgreSQL on `tmp/postgres`, without fsync; yields the URL of its superuser."""
    server = embedded.postgres(tmp / "postgres", embedded.free_port(), "test", durable=False)
    with running(server, tmp / "postgres.log") as process:
        yield process.url


@contextmanager
def valkey_server(tmp: Path) -> Iterator[RunningServer]:
    """Run a Valkey on `tmp/valkey`; yields its URL and process id."""
    server = embedded.valkey(tmp / "valkey", embedded.free_port(), "test")
    with running(server, tmp / "valkey.log") as process:
        yield process


@contextmanager
def shipped_stack(env: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Run the complete service with the shipped model; skip the test if there is no model."""
    if not (WorkerSettings().model_directory() / "manifest.json").exists():
        pytest.skip("there is no model under models/; `verdict train` and `verdict export` make one")
    with running_stack(env) as stack:
        yield stack


@contextmanager
def running(server: embedded.EmbeddedServer, log: Path) -> Iterator[RunningServer]:
    """Run `server` until the block ends, and stop it even if a test froze it."""
    process = spawn(Command(server.name, server.argv, 0, cwd=server.folder, orphan_signal=server.stop_signal), log)
    try:
        end = time.monotonic() + START_SECONDS
        while not server.is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{server.name} did not start: {log.read_text()}")
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        yield RunningServer(server.url, process.pid)
    finally:
        process.send_signal(server.stop_signal)
        process.send_signal(Signals.SIGCONT)
        process.wait(START_SECONDS)
