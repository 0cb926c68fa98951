"""Runs Locust, headless and in a process of its own, and reads what it saw. Called by benchmarks.users.trial."""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from benchmarks.common.review_texts import IMDB
from benchmarks.users.recording import Recording, read
from benchmarks.users.user_model import Plan
from local.supervisor import Command, spawn
from settings import ROOT

UNLABELLED = IMDB.with_name("unsup.parquet")
POLL_SECONDS = 0.2
EXTRA_SECONDS = 180  # to start, and to let the last visits end


class GeneratorError(Exception):
    """Locust did not do its work."""


@dataclass(frozen=True, slots=True)
class Load:
    """A plan, and what else the generator must know."""

    plan: Plan
    dataset: Path = UNLABELLED
    returning: float = 1.0
    seed: int = 0

    def arguments(self) -> list[str]:
        """Of `locust -f benchmarks/users/locustfile.py`."""
        plan = self.plan
        phases = ",".join(f"{phase.rate:g}:{phase.seconds:g}" for phase in plan.phases)
        return [
            *("--users", str(plan.users), "--spawn-rate", str(plan.users), "--phases", phases, "--mix", plan.mix),
            *("--returning", f"{self.returning:g}", "--dataset", str(self.dataset), "--seed", str(self.seed)),
        ]


def generate(load: Load, url: str, started: Callable[[int], None]) -> Recording:
    """Put the load on a service, and wait for its end; `started` is told the generator's process.

    Raises:
        GeneratorError: it died, or did not end.
    """
    with tempfile.TemporaryDirectory(prefix="verdict-load-") as folder:
        records, log = Path(folder) / "records.json", Path(folder) / "locust.log"
        options = [
            "--headless",
            "--only-summary",
            "--host",
            url,
            "--records",
            str(records),
            "--exit-code-on-error",
            "0",
        ]
        argv = [sys.executable, "-m", "locust", "-f", "benchmarks/users/locustfile.py", *options, *load.arguments()]
        # Killed with us: a load that nobody measures is only a nuisance.
        process = spawn(Command("locust", argv, 0, cwd=ROOT, orphan_signal=Signals.SIGKILL), log)
        try:
            started(process.pid)
            end = time.monotonic() + load.plan.seconds + EXTRA_SECONDS
            while process.poll() is None and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
        if not records.exists():
            raise GeneratorError(f"Locust left no recording (exit code {process.returncode}): {_last_line(log)}")
        return read(records)


def _last_line(log: Path) -> str:
    return next((line for line in reversed(log.read_text(errors="replace").splitlines()) if line.strip()), "")
