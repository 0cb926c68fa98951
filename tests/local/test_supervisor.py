"""The supervisor, with small shell commands as servers."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import Signals
from typing import Any

import pytest

from local.errors import LocalError
from local.supervisor import Command, Stopped, Supervisor
from tests.cli.conftest import is_alive, python

WaitFor = Callable[[Callable[[], object]], None]

FOREVER = "exec sleep 1000"
STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    with Supervisor(tmp_path, said.append) as running:
        yield running


def shell(script: str, name: str = "one", stage: int = 0, **options: Any) -> Command:
    return Command(name, ("sh", "-c", script), stage, **options)


def test_a_killed_process_is_restarted(supervisor: Supervisor, said: list[str]) -> None:
    process = supervisor.start(shell(FOREVER))
    first = process.pid
    os.kill(first, Signals.SIGKILL)
    assert supervisor.wait_until(lambda: process.pid != first and process.is_running(), 5)
    assert said == ["one was killed by SIGKILL; starting it again"]


def test_a_hung_process_is_killed_and_restarted(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    beats = "while :; do echo $$ $(date +%N) ready > $HEARTBEAT_FILE; sleep 0.05; done"
    process = supervisor.start(shell(beats, heartbeat=tmp_path / "beat", heartbeat_limit=0.5))
    first = process.pid
    assert supervisor.wait_until((tmp_path / "beat").exists, 5)
    assert not supervisor.wait_until(lambda: bool(said), 1)
    os.kill(first, Signals.SIGSTOP)
    assert supervisor.wait_until(lambda: process.pid != first and process.is_running(), 10)
    assert said[0].startswith("one hangs: no heartbeat for ")
    assert said[1:] == ["one was killed by SIGKILL; starting it again"]
    assert not supervisor.wait_until(lambda: len(said) > 2, 1)


def test_a_process_that_was_healthy_once_is_restarted_without_a_limit(supervisor: Supervisor, said: list[str]) -> None:
    process = supervisor.start(shell(FOREVER))
    supervisor.mark_healthy()
    for deaths in range(1, 6):
        assert supervisor.wait_until(process.is_running, 10)
        os.kill(process.pid, Signals.SIGKILL)
        assert supervisor.wait_until(lambda deaths=deaths: len(said) == deaths, 5)  # type: ignore[misc]


def test_a_process_that_never_becomes_healthy_ends_the_run_with_its_last_line(supervisor: Supervisor) -> None:
    supervisor.start(shell("echo starting; echo there is no model; exit 3"))
    with pytest.raises(LocalError, match="one ended with exit code 3 repeatedly: there is no model") as error:
        supervisor.wait_until(lambda: False, 20)
    assert error.value.exit_code == 1


def test_children_of_a_killed_process_go_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    child = tmp_path / "child"
    process = supervisor.start(shell(f"sleep 1000 & echo $! > {child}.new; mv {child}.new {child}; wait"))
    assert supervisor.wait_until(child.exists, 5)
    pid = int(child.read_text())
    os.kill(process.pid, Signals.SIGKILL)
    assert supervisor.wait_until(lambda: not is_alive(pid), 5)


def test_stages_stop_from_the_highest_to_the_lowest(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = "trap 'echo {0} >> {1}; exit' TERM; echo up; while :; do sleep 0.02; done"
    processes = [
        supervisor.start(shell(script.format(name, order), name, stage))
        for stage, name in enumerate(("store", "worker", "api"))
    ]
    assert supervisor.wait_until(lambda: all(process.log.last_line() == "up" for process in processes), 5)
    supervisor.stop()
    assert order.read_text().split() == ["api", "worker", "store"]


def test_a_process_that_does_not_stop_in_time_is_killed(supervisor: Supervisor) -> None:
    process = supervisor.start(shell(STUBBORN, grace_seconds=0.2))
    assert supervisor.wait_until(lambda: process.log.last_line() == "up", 5)
    supervisor.stop()
    assert process.returncode == -Signals.SIGKILL


def test_a_second_signal_stops_at_once(supervisor: Supervisor) -> None:
    process = supervisor.start(shell(STUBBORN, grace_seconds=100))
    assert supervisor.wait_until(lambda: process.log.last_line() == "up", 5)
    signal.raise_signal(Signals.SIGINT)
    with pytest.raises(Stopped):
        supervisor.watch()
    signal.raise_signal(Signals.SIGINT)
    supervisor.stop()
    assert process.returncode == -Signals.SIGKILL


def test_warnings_and_errors_reach_the_terminal_and_other_lines_do_not(supervisor: Supervisor, said: list[str]) -> None:
    alarm = '{"level": "error", "event": "no store", "attempt": 3, "timestamp": "2026"}'
    supervisor.start(shell(f"echo all is well; echo '{alarm}'; {FOREVER}"))
    assert supervisor.wait_until(lambda: bool(said), 5)
    assert said == ["one error: no store (attempt=3)"]


def test_a_command_that_has_to_succeed_fails_with_its_last_line(supervisor: Supervisor) -> None:
    with pytest.raises(LocalError, match=r"^one failed: the database is gone$"):
        supervisor.complete(shell("echo trying; echo the database is gone >&2; exit 1"))


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path, wait_for: WaitFor) -> None:
    script = (
        "import sys; from pathlib import Path; from local.supervisor import *\n"
        "with Supervisor(Path(sys.argv[1]), print) as supervisor:\n"
        "    process = supervisor.start(Command('one', ('sh', '-c', 'echo up; exec sleep 1000'), 0))\n"
        "    supervisor.wait_until(lambda: process.log.last_line() == 'up', 20)\n"
        "    print(process.pid, flush=True)\n"
        "    supervisor.watch()\n"
    )
    with python("-c", script, str(tmp_path)) as killed:
        assert killed.stdout is not None
        child = int(killed.stdout.readline())
        killed.kill()
    wait_for(lambda: not is_alive(child))
