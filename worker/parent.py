"""The worker's parent process beside Celery: send heartbeats to the supervisor, and kill a child that hangs.

Celery detects a child that ends, and a task that exceeds its time limit, but not a child that hangs between two tasks.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import Signals

import structlog
from celery.worker import state

from monitoring.liveness import BEAT_SECONDS, CHILD, LIMIT_SECONDS, Heartbeat, Watch

# If no child comes back for so long, the parent stops its heartbeats, and its supervisor replaces it.
GIVEN_UP_SECONDS = 150.0

log = structlog.get_logger()


def child_file(path: Path) -> Path:
    """Return the heartbeat file of the child of the worker with this file."""
    return path.with_name(path.name + CHILD)


class ChildWatch:
    """Kills a child that hangs; Celery then starts another."""

    def __init__(self, path: Path, has_untaken: Callable[[], bool], limit_seconds: float = LIMIT_SECONDS) -> None:
        self._watch = Watch(path, limit_seconds)
        self._watch.restart()
        self._has_untaken, self._limit = has_untaken, limit_seconds
        self._untaken_since: float | None = None

    def check(self) -> None:
        """Kill the child if its heartbeat has stopped, or if it does not start a task that it was given."""
        hung = self._watch.is_hung()
        pid = self._watch.pid()
        hung |= self._leaves_tasks(is_working=self._watch.is_ready() and self._watch.silent_seconds <= 3 * BEAT_SECONDS)
        if hung and pid is not None and _parent_of(pid) == os.getpid():
            log.error("worker_child_hung", child=pid, silent_seconds=round(self._watch.silent_seconds))
            with suppress(ProcessLookupError):
                os.kill(pid, Signals.SIGKILL)
            self._watch.restart()
            self._untaken_since = None

    def is_given_up(self) -> bool:
        """Return whether no child has come back for so long that the parent itself must be replaced."""
        return self._watch.silent_seconds > GIVEN_UP_SECONDS

    def _leaves_tasks(self, *, is_working: bool) -> bool:
        if not is_working or not self._has_untaken():
            self._untaken_since = None  # no task waits for it, or it is being replaced
            return False
        self._untaken_since = self._untaken_since or time.monotonic()
        return time.monotonic() - self._untaken_since > self._limit


def watch(path: Path | None) -> None:
    """Send heartbeats and watch the child, from a daemon thread; do nothing without a file."""
    if path is not None:
        child = ChildWatch(child_file(path), has_untaken)
        threading.Thread(target=_run, args=(Heartbeat(path), child), name="heartbeat", daemon=True).start()


def _run(heartbeat: Heartbeat, child: ChildWatch) -> None:
    while True:
        child.check()
        if not child.is_given_up():
            heartbeat.beat()
        time.sleep(BEAT_SECONDS)


def has_untaken() -> bool:
    """Return whether the idle child was given a task and has not started it."""
    return bool(state.reserved_requests) and not state.active_requests


def _parent_of(pid: int) -> int | None:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None
