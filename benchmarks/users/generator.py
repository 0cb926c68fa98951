"""Run Locust headless in a process of its own, and read its recording."""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from benchmarks.common.processes import running
from benchmarks.common.review_texts import IMDB
from benchmarks.common.waiting import poll
from benchmarks.users.recording import Recording, read
from benchmarks.users.user_model import Plan
from local.supervisor import Command
from settings import ROOT

UNLABELLED = IMDB.with_name("unsup.parquet")
POLL_SECONDS = 0.2
EXTRA_SECONDS = 180  # to start, and to let the last visits end


class GeneratorError(Exception):
    """Locust left no recording."""


@dataclass(frozen=True, slots=True)
class Load:
    """A plan, and the other options of the generator."""

    plan: Plan
    dataset: Path = UNLABELLED
    returning: float = 1.0
    seed: int = 0

    def arguments(self) -> list[str]:
        """Return the options of `locust -f benchmarks/users/locustfile.py`."""
        plan = self.plan
        phases = ",".join(f"{phase.rate:g}:{phase.seconds:g}" for phase in plan.phases)
        return [
            *("--users", str(plan.users), "--spawn-rate", str(plan.users), "--phases", phases, "--mix", plan.mix),
            *("--returning", f"{self.returning:g}", "--dataset", str(self.dataset), "--seed", str(self.seed)),
        ]


def generate(load: Load, url: str, started: Callable[[int], None]) -> Recording:
    """Run the load on a service to its end; `started` is called with the id of the generator's process.

    Raises:
        GeneratorError: the generator died or did not end.
    """
    with tempfile.TemporaryDirectory(prefix="verdict-load-") as folder:
        records, log = Path(folder) / "records.json", Path(folder) / "locust.log"
        options = ["--headless", "--only-summary", *("--host", url), *("--records", str(records))]
        options += ["--exit-code-on-error", "0"]
        argv = [sys.executable, "-m", "locust", "-f", "benchmarks/users/locustfile.py", *options, *load.arguments()]
        with running(Command("locust", argv, 0, cwd=ROOT, stop_signal=Signals.SIGKILL), log) as process:
            started(process.pid)
            poll(lambda: process.poll() is not None, load.plan.seconds + EXTRA_SECONDS, POLL_SECONDS)
        if not records.exists():
            raise GeneratorError(f"Locust left no recording (exit code {process.returncode}): {_last_line(log)}")
        return read(records)


def _last_line(log: Path) -> str:
    return next((line for line in reversed(log.read_text(errors="replace").splitlines()) if line.strip()), "")
