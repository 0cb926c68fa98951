"""Sample CPU and memory of processes once a second while a load runs.

Memory is the proportional set size, which counts the shared memory of PostgreSQL once.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import psutil

from benchmarks.common.processes import parts, process_cpu_seconds

EVERY_SECONDS = 1.0
MEMORY_EVERY = 5  # samples; reading it costs the kernel a walk over the pages
MEGABYTE = 1e6

Groups = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One second: busy cores and megabytes by group; `machine` is the busy cores of all processes, others included."""

    at: float  #: seconds since 1970
    cores: dict[str, float]
    megabytes: dict[str, float]
    machine: float


@dataclass(slots=True)
class Sampler:
    """Take samples in a thread until the block ends; groups may change meanwhile."""

    groups: Callable[[], Groups]
    samples: list[Sample] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        spent, at = _cpu_seconds(self.groups()), time.monotonic()
        busy, megabytes, turn = _machine_seconds(), dict[str, float](), 0
        while not self._ended.wait(EVERY_SECONDS):
            groups = self.groups()
            now, after, machine = time.monotonic(), _cpu_seconds(groups), _machine_seconds()
            if turn % MEMORY_EVERY == 0:
                megabytes = {group: sum(map(_megabytes, pids)) for group, pids in groups.items()}
            # The seconds of an ended process are gone.
            cores = {group: max(0.0, took - spent.get(group, 0.0)) / (now - at) for group, took in after.items()}
            self.samples.append(Sample(time.time(), cores, megabytes, (machine - busy) / (now - at)))
            spent, at, busy, turn = after, now, machine, turn + 1


def of_service(root: int | None, others: Groups) -> Groups:
    """Return the processes of a `verdict run` by part, and others by name."""
    service = parts(root) if root else {}
    return {**{str(part): pids for part, pids in service.items()}, **others}


def _cpu_seconds(groups: Groups) -> dict[str, float]:
    return {group: sum(map(process_cpu_seconds, pids)) for group, pids in groups.items()}


def _machine_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _megabytes(pid: int) -> float:
    with suppress(psutil.Error, OSError):
        return float(psutil.Process(pid).memory_full_info().pss / MEGABYTE)
    return 0.0
