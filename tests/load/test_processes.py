import os
import subprocess
import sys

from load.processes import Part, cpu_seconds, parts
from tests.conftest import wait_until

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def test_processes_below_ours_are_named_by_their_part_and_their_cpu_is_counted() -> None:
    # The words `-m worker.maintenance` only stand in its command line; what it runs is a loop.
    argv = [sys.executable, "-c", BUSY, "-m", "worker.maintenance"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        assert parts(os.getpid())[Part.MAINTENANCE] == [process.pid]
        assert wait_until(lambda: cpu_seconds(os.getpid())[Part.MAINTENANCE] >= 0.25)
        process.communicate(b"\n")
