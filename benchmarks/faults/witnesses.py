"""Record second by second how callers fare and how the service reports its own state."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from benchmarks.common.review_texts import short_reviews
from benchmarks.common.stack import Stack
from benchmarks.faults.alerts import Alerts
from settings import ROOT

CALLERS = 4
PAUSE_SECONDS = 1.0  # between two calls of a caller: light load
QUICK_SECONDS = 2.0  # a caller that waits longer is harmed
RECOVERY_SECONDS = PAUSE_SECONDS + QUICK_SECONDS  # until every caller has seen that the service is back
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 1.0
COMMAND_SECONDS = 5.0  # between two runs of `verdict sla`, a process each


@dataclass(slots=True)
class Call:
    """One review of a caller, from the first attempt until it was accepted."""

    began: float
    ended: float = float("inf")
    answers: list[str] = field(default_factory=list)
    job_id: str = ""

    @property
    def was_fine(self) -> bool:
        """Whether the first answer was quick and had the result."""
        return self.answers == ["200"] and self.ended - self.began <= QUICK_SECONDS


@dataclass(frozen=True, slots=True)
class Observation:
    """The state that the service reported of itself; None where it did not answer."""

    began: float
    ended: float
    is_met: bool | None  # by /v1/sla, as the page shows it
    headline: str
    is_ready: bool
    alerts: dict[str, str] | None  # names and severities; None without Prometheus
    rules_met: bool | None


class Witnesses:
    """Callers and observers of one stack."""

    def __init__(self, stack: Stack, alerts: Alerts | None) -> None:
        self.calls: list[Call] = []
        self.observations: list[Observation] = []
        self.exit_codes: list[tuple[float, float, int]] = []  # begin, end and exit code of each `verdict sla`
        self._stack, self._alerts = stack, alerts
        self._stopping = threading.Event()

    @contextmanager
    def present(self) -> Iterator[None]:
        """Call and observe until the block ends; every call is repeated until it is accepted."""
        jobs: list[Callable[[], None]] = [*[self._keep_calling] * CALLERS, self._keep_observing, self._keep_asking]
        threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def are_harmed(self, since: float, until: float) -> bool:
        """Return whether no call succeeded quickly in this time or right after, though some were under way."""
        fine = any(call.was_fine and since <= call.ended <= until + RECOVERY_SECONDS for call in self.calls)
        under_way = any(call.began <= since + PAUSE_SECONDS and call.ended >= since for call in self.calls)
        return under_way and not fine

    def _keep_calling(self) -> None:
        with httpx.Client(base_url=self._stack.url, timeout=ANSWER_SECONDS) as client:
            for text in itertools.cycle(short_reviews(100)):
                if self._stopping.wait(PAUSE_SECONDS):
                    return
                self._call(client, text)

    def _call(self, client: httpx.Client, text: str) -> None:
        call, key = Call(time.monotonic()), str(uuid4())
        self.calls.append(call)
        headers = {"Idempotency-Key": key, "Prefer": f"wait={QUICK_SECONDS:g}"}
        while not call.job_id:
            try:
                answer = client.post("/v1/jobs", json={"reviews": [{"text": text}]}, headers=headers)
                call.answers.append(str(answer.status_code))
                if answer.is_success:
                    call.job_id = answer.json()["id"]
            except httpx.HTTPError as error:
                call.answers.append(type(error).__name__)
            if not call.job_id:
                time.sleep(PAUSE_SECONDS)
        call.ended = time.monotonic()

    def _keep_observing(self) -> None:
        with httpx.Client(base_url=self._stack.url, timeout=ANSWER_SECONDS) as client:
            while not self._stopping.wait(LOOK_SECONDS):
                self.observations.append(self._observe(client))

    def _observe(self, client: httpx.Client) -> Observation:
        began, met, headline, ready = time.monotonic(), None, "", False
        try:
            answer = client.get("/v1/sla", params={"window": "1m"})
            headline = f"{answer.status_code} for /v1/sla"
            if answer.is_success:
                met, headline = answer.json()["met"], answer.json()["headline"]
            ready = client.get("/readyz").is_success
        except httpx.HTTPError as error:
            headline = f"{type(error).__name__} for /v1/sla"
        raised, rules_met = (self._alerts.raised(), self._alerts.is_met()) if self._alerts else (None, None)
        return Observation(began, time.monotonic(), met, headline, ready, raised, rules_met)

    def _keep_asking(self) -> None:
        command = [sys.executable, "-m", "cli.main", "sla", "--window", "1m", "--url", self._stack.url]
        while not self._stopping.wait(COMMAND_SECONDS):
            began = time.monotonic()
            code = subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode
            self.exit_codes.append((began, time.monotonic(), code))
