"""The reference server as a process, set up as is fastest here.

Called by benchmarks.users.load; runs benchmarks.users.reference.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from benchmarks.common.http_client import Connection, for_each
from benchmarks.common.stack import is_ready, wait_until
from benchmarks.users.target import Target
from local import embedded
from local.supervisor import Command, spawn
from settings import ROOT

START_SECONDS = 60.0
CALLERS = 32
LAP_REVIEWS = 150


@dataclass(frozen=True, slots=True)
class Setup:
    """Threads of an inference, and requests served at once."""

    threads: int
    at_once: int


def setups(cpus: int) -> list[Setup]:
    """All CPUs for one review, one for each of many, what lies between, and FastAPI's default of 40 threads."""
    return list(dict.fromkeys(Setup(*each) for each in ((cpus, 1), (1, cpus), (cpus, 2), (1, 40))))


def fastest(texts: Sequence[str]) -> tuple[Setup, dict[str, float]]:
    """The setup that judges these reviews the fastest for many callers at once, and reviews a second of each."""
    rates = {}
    for setup in setups(len(os.sched_getaffinity(0))):
        with reference_target(setup) as (target, _):
            rates[setup] = _lap(target.url, texts[:LAP_REVIEWS])
    named = {f"{setup.threads} threads, {setup.at_once} at once": rate for setup, rate in rates.items()}
    return max(rates, key=lambda setup: rates[setup]), named


def _lap(url: str, texts: Sequence[str]) -> float:
    async def classify(connection: Connection, text: str) -> None:
        (await connection.request("POST", "/v1/classify", {"review_text": text})).json()

    began = time.perf_counter()
    asyncio.run(for_each(url, texts, CALLERS, classify))
    return round(len(texts) / (time.perf_counter() - began), 1)


@contextmanager
def reference_target(setup: Setup) -> Iterator[tuple[Target, int]]:
    """A reference server of our own until the block ends, and its process."""
    port = embedded.free_port()
    options = ("--port", str(port), "--threads", str(setup.threads), "--at-once", str(setup.at_once))
    command = Command("reference", (sys.executable, "-m", "benchmarks.users.reference", *options), 0, cwd=ROOT)
    process = spawn(command, Path(os.devnull))
    try:
        wait_until(lambda: process.poll() is not None or is_ready(port), "the reference server is ready", START_SECONDS)
        yield Target(f"http://{embedded.LOOPBACK}:{port}", foreign=True), process.pid
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(Signals.SIGTERM)
        process.wait()
