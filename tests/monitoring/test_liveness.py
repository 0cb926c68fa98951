"""Heartbeats: a live process is left alone, a hung one is noticed, and a probe ends it."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals

import pytest

from monitoring import liveness
from monitoring.liveness import Heartbeat, Steps, Watch
from settings import ROOT
from tests.conftest import wait_until

BEATING = "import sys, time; from pathlib import Path; from monitoring.liveness import Heartbeat\n"
BEATING += "beat = Heartbeat(Path(sys.argv[1])).beat\nwhile True: beat(); time.sleep(0.02)"


@contextmanager
def beating(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Yield a process that beats every 20 ms."""
    process = subprocess.Popen([sys.executable, "-S", "-c", BEATING, str(path)], cwd=ROOT)
    try:
        wait_until(lambda: liveness.age(path) is not None)
        yield process
    finally:
        process.kill()
        process.wait()


REPLACING = (
    "import sys; from pathlib import Path; from monitoring.liveness import *; replace_if_hung(Path(sys.argv[1]))"
)


def probe(path: Path, *, replacing: bool = False) -> "subprocess.CompletedProcess[str]":
    """Run the probe as a container does."""
    command = [sys.executable, "-S", *(("-c", REPLACING) if replacing else ("-m", "monitoring.liveness")), str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)


def test_a_process_that_is_stopped_is_noticed_and_one_that_beats_is_not(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "beat", limit_seconds=0.5)
    with beating(watch.path) as process:
        assert not watch.is_hung()
        assert watch.pid() == process.pid
        process.send_signal(Signals.SIGSTOP)
        wait_until(watch.is_hung)


def test_before_the_first_beat_a_process_has_longer(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "beat", limit_seconds=0, start_seconds=0.2)
    assert not watch.is_hung()
    wait_until(watch.is_hung)


def test_a_pause_of_the_watcher_itself_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pause of the whole container the file is old, but no process hangs."""
    Heartbeat(tmp_path / "beat").beat()
    watch = Watch(tmp_path / "beat", limit_seconds=20)
    assert not watch.is_hung()
    later = time.monotonic() + 3600
    monkeypatch.setattr("monitoring.liveness.time.monotonic", lambda: later)
    assert not watch.is_hung()
    assert watch.silent_seconds <= liveness.LOOK_SECONDS


def test_a_step_that_hangs_stops_the_beats_of_a_process_whose_threads_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "BEAT_SECONDS", 0.02)
    steps, ended = Steps(Heartbeat(tmp_path / "beat"), longest_seconds=0.2), threading.Event()
    steps.start()
    watch = Watch(tmp_path / "beat", limit_seconds=0.5)

    def hang() -> None:
        with steps.step():
            ended.wait(30)

    thread = threading.Thread(target=hang)
    thread.start()
    wait_until(watch.is_hung)
    ended.set()
    thread.join()
    wait_until(lambda: not watch.is_hung())


def test_a_probe_succeeds_for_a_process_that_beats(tmp_path: Path) -> None:
    with beating(tmp_path / "beat"):
        ended = probe(tmp_path / "beat")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_probe_without_a_heartbeat_fails(tmp_path: Path) -> None:
    ended = probe(tmp_path / "none", replacing=True)
    assert (ended.returncode, ended.stderr) == (1, "no heartbeat yet\n")


def test_a_probe_may_end_a_process_that_hangs(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    with beating(path) as process:
        process.send_signal(Signals.SIGSTOP)
        path.write_text(f"{process.pid:10d} {time.monotonic() - 60:16.3f}\n")
        ended = probe(path)
        assert (ended.returncode, process.poll()) == (1, None)
        ended = probe(path, replacing=True)
        assert ended.returncode == 1
        assert ended.stderr.startswith("no heartbeat for 6")
        assert process.wait(10) == -Signals.SIGKILL


def test_a_process_without_a_file_writes_nothing(tmp_path: Path) -> None:
    Heartbeat(None).beat()
    assert list(tmp_path.iterdir()) == []
