"""Heartbeats: each process writes the time into its own file; a process that stops writing is replaced.

Three readers: the supervisor of `verdict run`, the parent of a worker's child, and in containers the probe
`python -S -m monitoring.liveness /tmp/heartbeat`. Only the standard library is imported, so a probe is cheap.
"""

import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from signal import Signals

BEAT_SECONDS = 1.0
LIMIT_SECONDS = 15.0  # without a beat for longer: hung; including its start the replacement takes 30 s
START_SECONDS = 120.0  # limit for a start
STEP_SECONDS = 10.0  # a longer forward pass is hung: it usually takes 0.2 s
LOOK_SECONDS = 2.0  # most silence counted between two looks
CHILD = ".child"  # suffix of the file of a worker's child


class Heartbeat:
    """The file of this process: id, time of the last beat, state. Without a path nothing is written."""

    def __init__(self, path: Path | None, *, is_ready: bool = True) -> None:
        self.is_ready = is_ready  # until then the limit is START_SECONDS
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def beat(self) -> None:
        """Write a beat. One call overwrites the same bytes, so that no reader sees a half of it."""
        if self._file is not None:
            with suppress(OSError):  # a full disk: the next beat may succeed
                state = "ready" if self.is_ready else "start"
                os.pwrite(self._file, f"{os.getpid():10d} {time.monotonic():16.3f} {state}\n".encode(), 0)

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Beat from the event loop while the block runs, so that a blocked loop stops the beats."""
        import asyncio  # noqa: PLC0415  the import would double the time of a probe

        async def beat() -> None:
            while True:
                self.beat()
                await asyncio.sleep(BEAT_SECONDS)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()


class Steps:
    """Beats from a thread while no step hangs; hung native code would otherwise let the thread beat on."""

    def __init__(self, heartbeat: Heartbeat, longest_seconds: float = STEP_SECONDS) -> None:
        self._heartbeat, self._longest = heartbeat, longest_seconds
        self._began: dict[int, float] = {}

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run a step that must not take longer than the limit."""
        thread = threading.get_ident()
        self._began[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._began[thread]

    def hangs(self) -> bool:
        """Return whether a step exceeds the limit."""
        oldest = min(self._began.copy().values(), default=None)
        return oldest is not None and time.monotonic() - oldest > self._longest

    def _run(self) -> None:
        while True:
            if not self.hangs():
                self._heartbeat.beat()
            time.sleep(BEAT_SECONDS)


class Watch:
    """Watches the file of another process and reports when it has not changed for too long.

    It adds up the time between its own looks, at most 2 s for each, so that a pause of the whole machine or container
    makes no process look hung.
    """

    def __init__(self, path: Path, limit_seconds: float = LIMIT_SECONDS, start_seconds: float = START_SECONDS) -> None:
        self.path, self._limit, self._start = path, limit_seconds, start_seconds
        self._seen = ""
        self.silent_seconds, self._looked_at = 0.0, time.monotonic()

    def restart(self) -> None:
        """Remove the file and reset the count for a new start of the process."""
        self.path.unlink(missing_ok=True)
        self._seen = ""
        self.silent_seconds, self._looked_at = 0.0, time.monotonic()

    def is_hung(self) -> bool:
        """Look at the file; return whether the process has not beaten for too long, or has not started in time."""
        now, found = time.monotonic(), _text(self.path)
        if found != self._seen:
            self._seen, self.silent_seconds = found, 0.0
        else:
            self.silent_seconds += min(now - self._looked_at, LOOK_SECONDS)
        self._looked_at = now
        return self.silent_seconds > (self._limit if self.is_ready() else self._start)

    def is_ready(self) -> bool:
        """Return whether the last seen beat is one of a started process."""
        return self._seen.split()[2:] == ["ready"]

    def pid(self) -> int | None:
        """Return the id of the process that wrote the last seen beat."""
        words = self._seen.split()
        return int(words[0]) if words else None


def age(path: Path) -> float | None:
    """Return the seconds since the last beat; None before the first."""
    words = _text(path).split()
    return time.monotonic() - float(words[1]) if words else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def probe(path: Path, limit_seconds: float = LIMIT_SECONDS) -> str | None:
    """Return the problem of a process, or None; a silent one gets 2 s more, as after a pause of the container."""
    for wait in (LOOK_SECONDS, 0):
        silent = age(path)
        if silent is not None and silent <= limit_seconds:
            return None
        time.sleep(wait)
    return "no heartbeat yet" if silent is None else f"no heartbeat for {silent:.0f} s"


def replace_if_hung(path: Path) -> None:
    """If the process is hung, kill it, so that its container restarts, and exit with code 1."""
    if problem := probe(path):
        if words := _text(path).split():
            with suppress(ProcessLookupError):
                os.kill(int(words[0]), Signals.SIGKILL)
            problem += ": killed"
        sys.exit(problem)


def main() -> None:
    """Check `FILE`: exit code 1 and one line if its process is hung."""
    if problem := probe(Path(sys.argv[1])):
        sys.exit(problem)


if __name__ == "__main__":
    main()
