"""The figures of `make bench`, one function each: the classifier alone, jobs of 100, single reviews.

All are measured on the same reviews, one after the other.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from api.schemas import ReviewIn
from benchmarks.common.http_client import Connection, for_each, job_body, timed_review, wait_for_end
from benchmarks.common.processes import cpu_seconds
from benchmarks.common.spread import Spread, spread
from inference.batching import micro_batches
from inference.classifier import Classifier
from settings import WorkerSettings

JOB_REVIEWS = 100
JOBS_IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Rate:
    """Reviews classified in a time; `cpu_ms` is the CPU time per review of each part of the service."""

    reviews: int
    seconds: float
    per_second: float
    cpu_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class Singles:
    """Single reviews with `Prefer: wait`; `besides` is end to end minus inference, for each review."""

    concurrency: int
    rate: Rate
    end_to_end: Spread
    inference: Spread
    queued: Spread
    besides: Spread


def offline(classifier: Classifier, texts: Sequence[str], settings: WorkerSettings) -> Rate:
    """Measure the classifier alone, with the batches of a worker: claim-sized windows, each sorted by length."""

    def classify() -> None:
        for window in windows(texts, settings.claim_reviews, settings.claim_tokens):
            encoded = classifier.tokenise(window)
            for group in micro_batches(encoded, settings.micro_batch_tokens):
                batch = [encoded[index] for index in group]
                classifier.postprocess(batch, classifier.forward(batch))

    return _timed(classify, len(texts), root=None)


def windows(texts: Sequence[str], reviews: int, tokens: int) -> Iterator[list[str]]:
    """Cut the texts as claims do: at most this many reviews and estimated tokens, at least one review."""
    window: list[str] = []
    waiting = 0
    for text in texts:
        estimate = ReviewIn(text=text).tokens_estimate
        if window and (len(window) == reviews or waiting + estimate > tokens):
            yield window
            window, waiting = [], 0
        window.append(text)
        waiting += estimate
    if window:
        yield window


def jobs_of_100(url: str, texts: Sequence[str], root: int | None) -> Rate:
    """Measure the service from the first submission to the last result, with several jobs in flight."""
    jobs = [texts[start : start + JOB_REVIEWS] for start in range(0, len(texts), JOB_REVIEWS)]

    async def run(connection: Connection, job: Sequence[str]) -> None:
        submitted = await connection.request("POST", "/v1/jobs", job_body(job))
        finished = await wait_for_end(connection, submitted.json())
        if finished["counts"]["succeeded"] != len(job):
            raise RuntimeError(f"a job ended as {finished['counts']}")

    return _timed(lambda: asyncio.run(for_each(url, jobs, JOBS_IN_FLIGHT, run)), len(texts), root)


def singles(url: str, texts: Sequence[str], concurrency: int, root: int | None) -> Singles:
    """Measure single reviews, `concurrency` at a time, each with a wait for its result."""
    seen: list[tuple[float, dict[str, float]]] = []

    async def run(connection: Connection, text: str) -> None:
        milliseconds, job = await timed_review(connection, text)
        seen.append((milliseconds, job["results"][0]["timings_ms"]))

    rate = _timed(lambda: asyncio.run(for_each(url, texts, concurrency, run)), len(texts), root)
    return Singles(
        concurrency=concurrency,
        rate=rate,
        end_to_end=spread([whole for whole, _ in seen]),
        inference=spread([timings["inference"] for _, timings in seen]),
        queued=spread([timings["queued"] for _, timings in seen]),
        besides=spread([whole - timings["inference"] for whole, timings in seen]),
    )


def _timed(work: Callable[[], Any], reviews: int, root: int | None) -> Rate:
    """Time `work`, with the CPU time of this process and of the service below process `root`, if that is given."""
    before, own = cpu_seconds(root) if root else {}, time.process_time()
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    spent = {str(part): after - before.get(part, 0.0) for part, after in (cpu_seconds(root) if root else {}).items()}
    spent["load client"] = time.process_time() - own
    cpu_ms = {part: round(took * 1000 / reviews, 3) for part, took in spent.items()}
    return Rate(reviews, round(seconds, 3), round(reviews / seconds, 2), cpu_ms)
