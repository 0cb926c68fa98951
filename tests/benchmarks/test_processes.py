"""The processes of a service, and what they cost, as the benchmark reads them."""

import os
import subprocess
import sys

from benchmarks.common.processes import Part, cpu_seconds, parts
from tests.conftest import wait_until

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def test_processes_below_ours_are_named_by_their_part_and_their_cpu_is_counted() -> None:
    # The words `-m maintenance.main` only stand in its command line; what it runs is a loop.
    argv = [sys.executable, "-c", BUSY, "-m", "maintenance.main"]
    others = parts(os.getpid())[Part.MAINTENANCE]  # a service that other tests run in this session
    spent = cpu_seconds(os.getpid()).get(Part.MAINTENANCE, 0.0)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        assert set(parts(os.getpid())[Part.MAINTENANCE]) - set(others) == {process.pid}
        assert wait_until(lambda: cpu_seconds(os.getpid())[Part.MAINTENANCE] >= spent + 0.25)
        process.communicate(b"\n")
