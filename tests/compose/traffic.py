"""Clients that repeat each job under its idempotency key until it is accepted."""

import itertools
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

from benchmarks.common.http_client import FINAL
from benchmarks.common.review_texts import short_reviews

CLIENTS = 4
JOB_REVIEWS = 5
WAIT_SECONDS = 5  # a client has one job in flight, so the backlog stays small
RETRY_SECONDS = 0.2
GIVE_UP_SECONDS = 90.0
ANSWER_SECONDS = 60.0


class Traffic:
    """Clients that submit jobs until the block ends; a submission that was begun is completed."""

    def __init__(self, url: str) -> None:
        self.accepted: set[str] = set()
        self.rows = 0
        self.answers: Counter[str] = Counter()  # by status; `none` where the connection broke
        self.lost: list[str] = []  # keys of submissions that were not accepted in time
        self._url = url
        self._texts = (f"{text} {number}" for number in itertools.count() for text in short_reviews(100, seed=number))
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._giving_up = threading.Event()
        self._threads = [threading.Thread(target=self._submit_on, name=f"client-{n}") for n in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        if error:
            self._giving_up.set()
        for thread in self._threads:
            thread.join()

    def _submit_on(self) -> None:
        with httpx.Client(base_url=self._url, timeout=WAIT_SECONDS + 10) as client:
            while not self._stopping.is_set():
                self._submit(client)

    def _submit(self, client: httpx.Client) -> None:
        with self._lock:
            texts = list(itertools.islice(self._texts, JOB_REVIEWS))
        body = {"reviews": [{"text": text} for text in texts]}
        headers = {"Idempotency-Key": str(uuid4()), "Prefer": f"wait={WAIT_SECONDS}"}
        end = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < end and not self._giving_up.is_set():
            try:
                answer = client.post("/v1/jobs", json=body, headers=headers)
            except httpx.TransportError:
                self._note("none")
            else:
                self._note(str(answer.status_code))
                if answer.is_success:
                    self._promised(answer.json())
                    return
            self._giving_up.wait(RETRY_SECONDS)
        self.lost.append(headers["Idempotency-Key"])

    def _note(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1

    def _promised(self, job: dict[str, Any]) -> None:
        with self._lock:
            self.accepted.add(job["id"])
            self.rows += JOB_REVIEWS


def ended(client: httpx.Client, job_id: str, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
    """Return a job once it has ended, or when the time is up."""
    end = time.monotonic() + seconds
    while True:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}", params={"wait": 5}).raise_for_status().json()
        if job["status"] in FINAL or time.monotonic() > end:
            return job
