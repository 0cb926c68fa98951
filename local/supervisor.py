"""Keep processes alive and stop them in order; cli.run chooses the processes.

Each process leads its own group and writes to its own log file, so Ctrl-C reaches the supervisor alone. One thread:
signals (SIGCHLD among them) wake the loop. Once a second it reads the heartbeats (monitoring.liveness): a process
without a recent one is killed and, like any process that ends, started again.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Self

from local.errors import LocalError
from local.log_file import LogFile
from monitoring.liveness import LIMIT_SECONDS, Watch

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 5.0
STEADY_SECONDS = 10.0  # a process that ran this long restarts with the first delay
DEATHS_ALLOWED = 5
DEATHS_WINDOW_SECONDS = 30.0
POLL_SECONDS = 0.05
LOG_SECONDS = 1.0
STOP_SIGNALS = (Signals.SIGINT, Signals.SIGTERM, Signals.SIGHUP)


class Stopped(BaseException):
    """A signal asked the supervisor to stop."""


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Command:
    """A process to keep alive. Processes of a higher stage stop first; one stage stops together."""

    name: str
    argv: Sequence[str]
    stage: int
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stop_signal: Signals = Signals.SIGTERM
    kill_signal: Signals = Signals.SIGKILL
    orphan_signal: Signals = Signals.SIGKILL  # sent by the kernel when the supervisor itself is killed
    grace_seconds: float = 10.0
    prepare: Callable[[], object] = nothing  # before every start
    heartbeat: Path | None = None  # HEARTBEAT_FILE of the process
    heartbeat_limit: float = LIMIT_SECONDS


def spawn(command: Command, log: Path) -> "subprocess.Popen[bytes]":
    """Start `command` in a process group of its own and append its output to `log`."""
    # The kernel sends this signal, so that it also works after a kill -9 of the supervisor.
    heartbeat = command.heartbeat
    tied = ["setpriv", f"--pdeathsig={command.orphan_signal.name.removeprefix('SIG')}", "--"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*(tied if shutil.which("setpriv") else ()), *command.argv],
            cwd=command.cwd,
            env={**os.environ, **command.env, **({"HEARTBEAT_FILE": str(heartbeat)} if heartbeat else {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


class Process:
    """A command and its current process."""

    def __init__(self, command: Command, log: LogFile) -> None:
        self.command = command
        self.log = log
        self.proven = False  # was healthy once, so it is restarted without a limit
        self.due: float | None = None  # time of the next start
        self._deaths: deque[float] = deque(maxlen=DEATHS_ALLOWED)
        self._delay = FIRST_DELAY_SECONDS
        self._watch = command.heartbeat and Watch(command.heartbeat, command.heartbeat_limit)
        self.start()

    def start(self) -> None:
        self.due = None
        if self._watch:
            self._watch.restart()
        self.command.prepare()
        self.log.rotate()
        self._started = time.monotonic()
        self._popen = spawn(self.command, self.log.path)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        return self._popen.poll()

    def is_running(self) -> bool:
        return self.returncode is None

    def signal(self, number: Signals) -> None:
        """Signal the whole group, whose leader may have ended already."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    def silent_seconds(self) -> float | None:
        """Return the seconds since the last heartbeat of a hung process, which only SIGKILL ends; None for others."""
        return self._watch.silent_seconds if self._watch and self._watch.is_hung() else None

    def reap(self) -> str:
        """Kill the rest of the group, set the time of the next start, and return how the process ended."""
        self.signal(Signals.SIGKILL)  # children that a killed leader left behind
        now = time.monotonic()
        if now - self._started >= STEADY_SECONDS:
            self._delay = FIRST_DELAY_SECONDS
        self.due = now + self._delay
        self._delay = min(2 * self._delay, LONGEST_DELAY_SECONDS)
        self._deaths.append(now)
        code = int(self._popen.returncode)
        return f"was killed by {Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def is_hopeless(self) -> bool:
        """Tell whether the process was never healthy and ended often within a short time."""
        often = len(self._deaths) == DEATHS_ALLOWED
        return not self.proven and often and self._deaths[-1] - self._deaths[0] <= DEATHS_WINDOW_SECONDS


class Supervisor:
    """Starts, restarts and stops processes; to be used as a context manager on the main thread."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._processes: list[Process] = []
        self._stopping = False

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._wakeups, write_end = socket.socketpair()
        write_end.setblocking(False)
        self._write_end = write_end
        self._old_wakeup = signal.set_wakeup_fd(write_end.fileno())
        numbers = (*STOP_SIGNALS, Signals.SIGCHLD)
        self._old_handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            signal.set_wakeup_fd(self._old_wakeup)
            for number, handler in self._old_handlers.items():
                signal.signal(number, handler)
            self._wakeups.close()
            self._write_end.close()

    def start(self, command: Command) -> Process:
        """Start `command` and keep it alive from now on."""
        process = Process(command, LogFile(self._logs / f"{command.name}.log"))
        self._processes.append(process)
        return process

    def complete(self, command: Command) -> None:
        """Run `command` to its end. Raises LocalError with its last line when it fails."""
        log = LogFile(self._logs / f"{command.name}.log")
        process = Process(command, log)
        try:
            while process.is_running():
                self._tick(POLL_SECONDS)
        finally:
            process.signal(command.stop_signal)
        if process.returncode != 0:
            raise LocalError(f"{command.name} failed: {log.last_line()}", exit_code=2 if process.returncode == 2 else 1)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Supervise until `condition()` holds; return False if it does not within `seconds`."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self._tick(POLL_SECONDS)
        return True

    def mark_healthy(self) -> None:
        """Mark every process as healthy: from now on each is restarted without a limit."""
        for process in self._processes:
            process.proven = True

    def watch(self) -> None:
        """Supervise until a signal to stop, which raises Stopped."""
        while True:
            self._tick(LOG_SECONDS)

    def stop(self) -> None:
        """Stop all processes, the highest stage first; another signal kills the remaining ones at once."""
        self._stopping = True
        for stage in sorted({process.command.stage for process in self._processes}, reverse=True):
            self._stop_together([process for process in self._processes if process.command.stage == stage])
        self._processes.clear()

    def _stop_together(self, processes: list[Process]) -> None:
        for process in processes:
            process.signal(process.command.stop_signal)
        end = time.monotonic() + max(process.command.grace_seconds for process in processes)
        hurry = not self._wait_for_end(processes, end)
        if hurry:
            for process in processes:
                process.signal(process.command.kill_signal)
            self._wait_for_end(processes, time.monotonic() + 5)
        for process in processes:
            process.signal(Signals.SIGKILL)

    def _wait_for_end(self, processes: list[Process], end: float) -> bool:
        while any(process.is_running() for process in processes):
            if time.monotonic() > end or self._stop_signalled(POLL_SECONDS):
                return False
        return True

    def _tick(self, longest_seconds: float) -> None:
        """Sleep until an event, then reap ended processes and start those that are due."""
        now = time.monotonic()
        due = [process.due for process in self._processes if process.due is not None]
        if self._stop_signalled(max(0.0, min([longest_seconds, *(at - now for at in due)]))):
            raise Stopped
        for process in self._processes:
            self._look_after(process)

    def _look_after(self, process: Process) -> None:
        for line in process.log.new_alarms():
            self._say(f"{process.command.name} {line}")
        if process.due is None and not process.is_running():
            end = f"{process.command.name} {process.reap()}"
            if process.is_hopeless():
                raise LocalError(f"{end} repeatedly: {process.log.last_line()}", exit_code=1)
            self._say(f"{end}; starting it again")
        elif process.due is not None:
            if process.due <= time.monotonic():
                process.start()
        elif silent := process.silent_seconds():
            self._say(f"{process.command.name} hangs: no heartbeat for {silent:.0f} s; killing it")
            process.signal(Signals.SIGKILL)

    def _stop_signalled(self, seconds: float) -> bool:
        if not select.select([self._wakeups], [], [], seconds)[0]:
            return False
        return any(number in STOP_SIGNALS for number in self._wakeups.recv(256))
