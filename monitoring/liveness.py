"""Heartbeats: each process writes the time into a file of its own; a process that stops doing so is replaced.

The supervisor of `verdict run` reads the files, a worker's parent reads that of its child, and in containers a probe
does: `python -S -m monitoring.liveness /tmp/heartbeat`. It needs the standard library alone, so a probe is cheap.
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
LIMIT_SECONDS = 15.0  # silent for longer: hung; with a start, it is replaced within 30 s
START_SECONDS = 120.0  # until the first beat of a process that is ready
STEP_SECONDS = 10.0  # a forward pass that takes longer hangs: it takes 0.2 s
LOOK_SECONDS = 2.0  # counted for one look at most
CHILD = ".child"  # what the name of a worker's file has after it for its child


class Heartbeat:
    """This process's file: its id, the time of the last beat, whether it has started. Without a path there is none."""

    def __init__(self, path: Path | None, *, is_ready: bool = True) -> None:
        self.is_ready = is_ready  # until then it has as long as a start may take
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def beat(self) -> None:
        """Say that this process goes on. Overwrites the same bytes in one call, so that no reader sees half."""
        if self._file is not None:
            with suppress(OSError):  # a full disk: the next one may succeed
                state = "ready" if self.is_ready else "start"
                os.pwrite(self._file, f"{os.getpid():10d} {time.monotonic():16.3f} {state}\n".encode(), 0)

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Beat from the event loop as long as the block runs, so that a blocked loop falls silent."""
        import asyncio  # noqa: PLC0415  it would double the time of a probe

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
    """Beats from a thread, unless a step of native code hangs: it lets threads run on and would never be noticed."""

    def __init__(self, heartbeat: Heartbeat, longest_seconds: float = STEP_SECONDS) -> None:
        self._heartbeat, self._longest = heartbeat, longest_seconds
        self._began: dict[int, float] = {}

    def start(self) -> None:
        """Beat from now on."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    @contextmanager
    def step(self) -> Iterator[None]:
        """A step that must not take longer than the limit."""
        thread = threading.get_ident()
        self._began[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._began[thread]

    def hangs(self) -> bool:
        """Whether a step takes too long."""
        oldest = min(self._began.copy().values(), default=None)
        return oldest is not None and time.monotonic() - oldest > self._longest

    def _run(self) -> None:
        while True:
            if not self.hangs():
                self._heartbeat.beat()
            time.sleep(BEAT_SECONDS)


class Watch:
    """Looks at another process's file again and again, and tells when it has not changed for too long.

    It counts the time between its own looks, at most 2 s for each: after the whole machine or container was paused, no
    process is taken for hung.
    """

    def __init__(self, path: Path, limit_seconds: float = LIMIT_SECONDS, start_seconds: float = START_SECONDS) -> None:
        self.path, self._limit, self._start = path, limit_seconds, start_seconds
        self._seen = ""
        self.silent_seconds, self._looked_at = 0.0, time.monotonic()

    def restart(self) -> None:
        """Forget what was seen: the process starts anew."""
        self.path.unlink(missing_ok=True)
        self._seen = ""
        self.silent_seconds, self._looked_at = 0.0, time.monotonic()

    def is_hung(self) -> bool:
        """Look; whether the process has been silent for too long, or has never begun."""
        now, found = time.monotonic(), _text(self.path)
        if found != self._seen:
            self._seen, self.silent_seconds = found, 0.0
        else:
            self.silent_seconds += min(now - self._looked_at, LOOK_SECONDS)
        self._looked_at = now
        return self.silent_seconds > (self._limit if self.is_ready() else self._start)

    def is_ready(self) -> bool:
        """Whether the process has started, as far as it was seen."""
        return self._seen.split()[2:] == ["ready"]

    def pid(self) -> int | None:
        """The process that has written the file last."""
        words = self._seen.split()
        return int(words[0]) if words else None


def age(path: Path) -> float | None:
    """Seconds since the last beat; None before the first."""
    words = _text(path).split()
    return time.monotonic() - float(words[1]) if words else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def probe(path: Path, limit_seconds: float = LIMIT_SECONDS) -> str | None:
    """Return what is wrong with the process that beats there, or None; after a pause of the container it gets 2 s."""
    for wait in (LOOK_SECONDS, 0):
        silent = age(path)
        if silent is not None and silent <= limit_seconds:
            return None
        time.sleep(wait)
    return "no heartbeat yet" if silent is None else f"no heartbeat for {silent:.0f} s"


def replace_if_hung(path: Path) -> None:
    """Exit with code 1 where the process is hung, and kill it, so that its container ends and is started again."""
    if problem := probe(path):
        if words := _text(path).split():
            with suppress(ProcessLookupError):
                os.kill(int(words[0]), Signals.SIGKILL)
            problem += ": killed"
        sys.exit(problem)


def main() -> None:
    """`FILE`: exit code 1 and one line where the process that beats there is hung."""
    if problem := probe(Path(sys.argv[1])):
        sys.exit(problem)


if __name__ == "__main__":
    main()
