"""What callers see and what the service says of itself at the same time, second by second.

Called by benchmarks.faults.outage.
"""

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
PAUSE_SECONDS = 1.0  # of a caller between two calls: light load
QUICK_SECONDS = 2.0  # a caller who waits for longer is hurt
RECOVERY_SECONDS = PAUSE_SECONDS + QUICK_SECONDS  # until every caller has seen that the service is back
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 1.0
COMMAND_SECONDS = 5.0  # between two runs of `verdict sla`, a process each


@dataclass(slots=True)
class Call:
    """One review of a caller, until it was accepted: when, and how it went."""

    began: float
    ended: float = float("inf")
    answers: list[str] = field(default_factory=list)
    job_id: str = ""

    @property
    def was_fine(self) -> bool:
        """Whether it was answered at once, with its result."""
        return self.answers == ["200"] and self.ended - self.began <= QUICK_SECONDS


@dataclass(frozen=True, slots=True)
class Look:
    """What the service said of itself; None where it said nothing, which is no success either."""

    began: float
    ended: float
    is_met: bool | None  # of /v1/sla, which the page shows
    headline: str
    is_ready: bool
    alerts: dict[str, str] | None  # names and severities; None without Prometheus
    rules_met: bool | None


class Witnesses:
    """Callers and onlookers of one stack."""

    def __init__(self, stack: Stack, alerts: Alerts | None) -> None:
        self.calls: list[Call] = []
        self.looks: list[Look] = []
        self.exit_codes: list[tuple[float, float, int]] = []  # of `verdict sla`, and when it began and ended
        self._stack, self._alerts = stack, alerts
        self._stopping = threading.Event()

    @contextmanager
    def present(self) -> Iterator[None]:
        """Call and look as long as the block runs; every call is repeated until it is accepted."""
        jobs: list[Callable[[], None]] = [*[self._call_on] * CALLERS, self._look_on, self._command_on]
        threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def is_hurt(self, since: float, until: float) -> bool:
        """Whether callers were hurt all the time between, and did not recover right after."""
        fine = any(call.was_fine and since <= call.ended <= until + RECOVERY_SECONDS for call in self.calls)
        under_way = any(call.began <= since + PAUSE_SECONDS and call.ended >= since for call in self.calls)
        return under_way and not fine

    def _call_on(self) -> None:
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

    def _look_on(self) -> None:
        with httpx.Client(base_url=self._stack.url, timeout=ANSWER_SECONDS) as client:
            while not self._stopping.wait(LOOK_SECONDS):
                self.looks.append(self._look(client))

    def _look(self, client: httpx.Client) -> Look:
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
        return Look(began, time.monotonic(), met, headline, ready, raised, rules_met)

    def _command_on(self) -> None:
        command = [sys.executable, "-m", "cli.main", "sla", "--window", "1m", "--url", self._stack.url]
        while not self._stopping.wait(COMMAND_SECONDS):
            began = time.monotonic()
            code = subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode
            self.exit_codes.append((began, time.monotonic(), code))
