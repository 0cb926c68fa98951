"""Run the ready-made server as a process, with the setup that is the fastest on this machine."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.http_client import classify, for_each
from benchmarks.common.processes import running
from benchmarks.common.stack import is_ready
from benchmarks.common.waiting import wait_until
from benchmarks.users.target import Target
from local import embedded
from local.supervisor import Command
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
    """Return the setups to try: all CPUs for one review, one for each of several, two at once, FastAPI's default."""
    return list(dict.fromkeys(Setup(*each) for each in ((cpus, 1), (1, cpus), (cpus, 2), (1, 40))))


def fastest(texts: Sequence[str]) -> tuple[Setup, dict[str, float]]:
    """Return the fastest setup for many callers at once, and the reviews a second of each."""
    rates = {}
    for setup in setups(len(os.sched_getaffinity(0))):
        with reference_target(setup) as (target, _):
            rates[setup] = _lap(target.url, texts[:LAP_REVIEWS])
    named = {f"{setup.threads} threads, {setup.at_once} at once": rate for setup, rate in rates.items()}
    return max(rates, key=lambda setup: rates[setup]), named


def _lap(url: str, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    for answer in asyncio.run(for_each(url, texts, CALLERS, classify)):
        answer.json()  # raises if one was refused
    return round(len(texts) / (time.perf_counter() - began), 1)


@contextmanager
def reference_target(setup: Setup) -> Iterator[tuple[Target, int]]:
    """Run the server until the block ends; yield it and its process id."""
    port = embedded.free_port()
    options = ("--port", str(port), "--threads", str(setup.threads), "--at-once", str(setup.at_once))
    command = Command("reference", (sys.executable, "-m", "benchmarks.users.reference", *options), 0, cwd=ROOT)
    with running(command, Path(os.devnull)) as process:
        wait_until(lambda: process.poll() is not None or is_ready(port), "the reference server is ready", START_SECONDS)
        yield Target(f"http://{embedded.LOOPBACK}:{port}", foreign=True), process.pid
