"""The parent kills a child without heartbeat or that starts no task, and no other process."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from signal import Signals

import pytest

from monitoring.liveness import Heartbeat
from tests.conftest import wait_until
from worker.parent import ChildWatch, child_file


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    """A process in place of the child."""
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def beat(path: Path, pid: int, state: str = "ready") -> None:
    path.write_text(f"{pid:10d} {time.monotonic():16.6f} {state}\n")


def is_killed(watch: ChildWatch, child: "subprocess.Popen[bytes]") -> bool:
    watch.check()
    return child.poll() == -Signals.SIGKILL


def test_a_child_that_is_silent_is_killed(tmp_path: Path, child: "subprocess.Popen[bytes]") -> None:
    watch = ChildWatch(tmp_path / "beat", lambda: False, limit_seconds=0.2)
    beat(tmp_path / "beat", child.pid)
    watch.check()
    assert child.poll() is None
    wait_until(lambda: is_killed(watch, child))
    assert not (tmp_path / "beat").exists()  # the limit for starting applies to the next child


def test_a_child_that_beats_but_takes_no_task_is_killed(tmp_path: Path, child: "subprocess.Popen[bytes]") -> None:
    watch = ChildWatch(tmp_path / "beat", lambda: True, limit_seconds=0.2)

    def beats_and_is_killed() -> bool:
        beat(tmp_path / "beat", child.pid)
        return is_killed(watch, child)

    assert not beats_and_is_killed()
    wait_until(beats_and_is_killed)


def test_a_child_that_loads_its_model_is_left_alone(tmp_path: Path, child: "subprocess.Popen[bytes]") -> None:
    """Tasks may wait for it, and loading may block the interpreter while a file is read."""
    watch = ChildWatch(tmp_path / "beat", lambda: True, limit_seconds=0)
    for _ in range(3):
        beat(tmp_path / "beat", child.pid, "start")
        watch.check()
        watch.check()
    assert child.poll() is None


def test_a_process_that_is_not_our_child_is_left_alone(tmp_path: Path) -> None:
    watch = ChildWatch(tmp_path / "beat", lambda: False, limit_seconds=0)
    beat(tmp_path / "beat", os.getppid())
    watch.check()
    watch.check()
    assert not watch.is_given_up()


def test_parent_and_child_beat_in_files_of_their_own(tmp_path: Path) -> None:
    Heartbeat(tmp_path / "worker-1").beat()
    Heartbeat(child_file(tmp_path / "worker-1")).beat()
    assert {path.name for path in tmp_path.iterdir()} == {"worker-1", "worker-1.child"}
