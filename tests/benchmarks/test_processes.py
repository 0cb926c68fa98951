"""The processes of a service and their CPU time."""

import os
import subprocess
import sys

from benchmarks.common.processes import Part, cpu_seconds, parts
from tests.conftest import wait_until

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def test_child_processes_are_found_by_part_and_their_cpu_time_is_counted() -> None:
    # A loop with the words `-m maintenance.main` in its command line.
    argv = [sys.executable, "-c", BUSY, "-m", "maintenance.main"]
    others = parts(os.getpid())[Part.MAINTENANCE]  # of a service that other tests run
    spent = cpu_seconds(os.getpid()).get(Part.MAINTENANCE, 0.0)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        assert set(parts(os.getpid())[Part.MAINTENANCE]) - set(others) == {process.pid}
        assert wait_until(lambda: cpu_seconds(os.getpid())[Part.MAINTENANCE] >= spent + 0.25)
        process.communicate(b"\n")
