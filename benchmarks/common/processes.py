"""The processes of a running service by their part in it, from /proc: their ids, and the CPU time they took.

Called by benchmarks.common.stack, benchmarks.service.bench and benchmarks.users.resource_usage.
"""

import os
from collections import defaultdict
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Part(StrEnum):
    """What a process does."""

    API = "api"
    WORKER = "worker"  #: Celery's parent, which listens
    WORKER_CHILD = "worker child"  #: which predicts
    MAINTENANCE = "maintenance"
    POSTGRES = "postgres"
    VALKEY = "valkey"


# The first that is found in a command line; a child of these has the part of its parent.
_WORDS = {
    "billiard.spawn": Part.WORKER_CHILD,
    "maintenance.main": Part.MAINTENANCE,
    "worker.main": Part.WORKER,
    "api.main": Part.API,
    "bin/postgres": Part.POSTGRES,
    "valkey-server": Part.VALKEY,
}


def parts(root: int) -> dict[Part, list[int]]:
    """Ids of the processes below `root`, parents first."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children[_fields(path)[1]].append(int(path.parent.name))
    found: defaultdict[Part, list[int]] = defaultdict(list)
    waiting: list[tuple[int, Part | None]] = [(pid, None) for pid in children[root]]
    for pid, parent in waiting:
        part = _part(pid) or parent
        if part:
            found[part].append(pid)
        waiting += [(child, part) for child in children[pid]]
    return found


def _part(pid: int) -> Part | None:
    with suppress(OSError):
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return next((part for word, part in _WORDS.items() if word in line), None)
    return None


def cpu_seconds(root: int) -> dict[Part, float]:
    """CPU seconds of each part so far, with those of its ended children."""
    return {part: sum(map(process_cpu_seconds, pids)) for part, pids in parts(root).items()}


def process_cpu_seconds(pid: int) -> float:
    """CPU seconds of one process so far, with those of its ended children; 0 when it has ended."""
    with suppress(OSError):
        # utime, stime, cutime, cstime: proc_pid_stat(5) counts from the process id as 1, we from the state as 0.
        return sum(_fields(Path(f"/proc/{pid}/stat"))[11:15]) / TICKS
    return 0.0


def _fields(stat: Path) -> list[int]:
    # The name in parentheses may hold anything; numbers follow the state letter.
    state, *numbers = stat.read_text().rpartition(")")[2].split()
    return [ord(state), *map(int, numbers)]
