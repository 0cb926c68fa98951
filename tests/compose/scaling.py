"""Bulk throughput of two workers against one, in one run: `python -m tests.compose --scaling`.

Each worker is pinned to a core of its own and may use 0.6 of it, with one worker as with two; the rest of both
cores is for the load, the API and PostgreSQL, which have the same share in both measurements.
"""

import csv
import io
import os
import time

import httpx

from benchmarks.common.review_texts import IMDB, read_reviews
from tests.compose.engine import Project, run
from tests.compose.outcome import Outcome
from tests.compose.traffic import ended
from tests.compose.working import scales

SHARE = 0.6
ROWS = 1500  # for each worker
LEAST = 1.8
MOST_SECONDS = 200


def two_against_one(project: Project, client: httpx.Client) -> Outcome:
    """Measure rows a second from upload to end with one and two workers, and their ratio."""
    outcome, cores = Outcome("bulk throughput, 1 to 2 workers"), sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        outcome.not_shown.append("two cores are needed")
        return outcome
    rates = []
    for workers in (1, 2):
        outcome.wrong += scales(project, client, workers).wrong
        for container, core in zip(project.containers("worker"), cores, strict=False):
            run("docker", "update", f"--cpuset-cpus={core}", f"--cpus={SHARE}", container)
        rates.append(_rate(outcome, client, ROWS * workers, seed=workers))
        outcome.figures[f"rows a second, {workers} pinned to {SHARE} of a core each"] = f"{rates[-1]:.1f}"
    outcome.figures["ratio"] = f"{rates[1] / rates[0]:.2f}"
    outcome.expect(rates[1] >= LEAST * rates[0], f"only {rates[1] / rates[0]:.2f} times as fast")
    return outcome


def _rate(outcome: Outcome, client: httpx.Client, rows: int, seed: int) -> float:
    texts, source = read_reviews(IMDB, rows, seed)
    outcome.figures["texts"] = source.partition(",")[0]
    table = io.StringIO()
    csv.writer(table).writerows([["review"], *([f"{text} {number}"] for number, text in enumerate(texts))])
    began = time.monotonic()
    sent = client.post("/v1/jobs", content=table.getvalue().encode(), headers={"Content-Type": "text/csv"})
    job = ended(client, sent.raise_for_status().json()["id"], MOST_SECONDS)
    outcome.expect(job["counts"]["succeeded"] == rows, f"the job of {rows} rows is {job['status']} {job['counts']}")
    return rows / (time.monotonic() - began)
