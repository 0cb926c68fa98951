"""Start processes, and find those of a running service with their CPU time."""

import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

import psutil

from local.supervisor import Command, spawn

STOP_SECONDS = 60.0


@contextmanager
def running(command: Command, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process until the block ends; then send its stop signal, and kill it if it has not ended in time."""
    process = spawn(command, log)
    try:
        yield process
    finally:
        process.send_signal(command.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()  # the kernel ends its children with it
        process.wait()


class Part(StrEnum):
    """The task of a process."""

    API = "api"
    WORKER = "worker"  #: Celery's parent process, which receives messages
    WORKER_CHILD = "worker child"  #: the child process, which predicts
    MAINTENANCE = "maintenance"
    POSTGRES = "postgres"
    VALKEY = "valkey"


# The first word found in a command line decides; a process without one has the part of its parent.
_WORDS = {
    "billiard.spawn": Part.WORKER_CHILD,
    "maintenance.main": Part.MAINTENANCE,
    "worker.main": Part.WORKER,
    "api.main": Part.API,
    "bin/postgres": Part.POSTGRES,
    "valkey-server": Part.VALKEY,
}


def parts(root: int) -> dict[Part, list[int]]:
    """Return the ids of the processes below `root` by part, parents first."""
    found: defaultdict[Part, list[int]] = defaultdict(list)
    part_of: dict[int, Part | None] = {}
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(root).children(recursive=True):
            with suppress(psutil.Error):
                line = " ".join(process.cmdline())
                own = next((part for word, part in _WORDS.items() if word in line), None)
                part = part_of[process.pid] = own or part_of.get(process.ppid())
                if part:
                    found[part].append(process.pid)
    return found


def cpu_seconds(root: int) -> dict[Part, float]:
    """Return the CPU seconds of each part so far, with those of its ended children."""
    return {part: sum(map(process_cpu_seconds, pids)) for part, pids in parts(root).items()}


def process_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of one process so far, with those of its ended children; 0 if it has ended."""
    with suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
