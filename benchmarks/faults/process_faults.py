"""What must hold while things are killed and frozen, one function a promise; each breaks a running stack and looks.

Called by benchmarks.faults.drill with full sizes and by tests.faults with small ones. Nothing here repairs what it
broke, but for the SIGCONT that ends a freeze.
"""

import asyncio
import itertools
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from signal import Signals
from typing import Any
from uuid import uuid4

import psycopg
import redis

from benchmarks.common.http_client import FINAL, Connection, NoAnswer, RequestRefused, for_each, job_body, results
from benchmarks.common.processes import Part
from benchmarks.common.review_texts import short_reviews
from benchmarks.common.spread import spread
from benchmarks.common.stack import Stack, wait_until
from broker.messages import queue_name
from db.models import Lane, ModelLane
from settings import ROOT, WorkerSettings

JOB_REVIEWS = 50
CLIENTS = 8
POST_SECONDS = 0.05  # a lone client's pause between two jobs
RETRY_SECONDS = 0.1
FINISH_SECONDS = 300.0  # a promise to finish is not one to be quick: the machine may be busy
LOOK_SECONDS = 0.02
JUNK = (b"junk", b"\xff\xfe\x00", b"{}", b'{"body": 1, "headers": {}}', b"[" * 1000)


@dataclass(slots=True)
class FaultOutcome:
    """What was measured while one thing was broken, and what did not hold: nothing, if the promise did."""

    broken: str
    figures: dict[str, str | int | float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, held: bool, otherwise: str) -> None:
        """Note `otherwise` if it did not hold."""
        if not held:
            self.wrong.append(otherwise)


class Crowd:
    """Clients that submit jobs whatever happens, each under a key, and repeat what was not answered."""

    def __init__(self, stack: Stack) -> None:
        self.answers: Counter[str] = Counter()
        self.jobs: list[str] = []
        self._stack = stack

    async def submit(self, connection: Connection, texts: Sequence[str]) -> float:
        """Submit a job until it is accepted; milliseconds to the first answer."""
        headers, started, first = {"Idempotency-Key": str(uuid4())}, time.perf_counter(), 0.0
        while True:
            try:
                answer = await connection.request("POST", "/v1/jobs", job_body(texts), headers)
                self.answers[str(answer.status)] += 1
                first = first or (time.perf_counter() - started) * 1000
                self.jobs.append(answer.json()["id"])
            except (NoAnswer, RequestRefused) as error:
                if isinstance(error, NoAnswer):
                    self.answers["none"] += 1
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return first

    async def submit_all(self, texts: Sequence[str]) -> None:
        """Submit all of them, as jobs of 50."""
        await for_each(self._stack.url, _jobs(texts), CLIENTS, self.submit)

    async def check(self, outcome: FaultOutcome, reviews: int) -> None:
        """Wait until every accepted job has ended; each of their reviews must have succeeded exactly once."""
        started = time.monotonic()
        found = await for_each(self._stack.url, self.jobs, CLIENTS, _finished)
        outcome.figures["finished after s"] = round(time.monotonic() - started, 1)
        for job, rows in found:
            counts = job["counts"]
            outcome.expect(counts["succeeded"] == counts["total"], f"job {job['id']} ended as {job['status']} {counts}")
            outcome.expect([row["index"] for row in rows] == list(range(counts["total"])), f"job {job['id']} has gaps")
        good = {row["review_id"] for _, rows in found for row in rows if row["sentiment"]}
        outcome.figures |= {"jobs": len(set(self.jobs)), "reviews": reviews, "results": len(good)}
        outcome.expect(len(good) == reviews, f"{len(good)} results for {reviews} reviews")
        left = count(self._stack, "SELECT count(*) FROM leases")
        outcome.expect(left == 0, f"{left} leases were left")


def _jobs(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[start : start + JOB_REVIEWS] for start in range(0, len(texts), JOB_REVIEWS)]


async def _finished(connection: Connection, job_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A job when it has ended, and its results; asks again while nobody answers."""
    end = time.monotonic() + FINISH_SECONDS
    while time.monotonic() < end:
        try:
            job = (await connection.request("GET", f"/v1/jobs/{job_id}?wait=2")).json()
            if job["status"] in FINAL:
                return job, await results(connection, job)
        except NoAnswer:
            await asyncio.sleep(RETRY_SECONDS)
        except RequestRefused as error:
            if error.status != 503:
                raise
            await asyncio.sleep(RETRY_SECONDS)
    return job, []


def count(stack: Stack, query: str) -> int:
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


async def _until(condition: Callable[[], bool], seconds: float = FINISH_SECONDS) -> None:
    """Return as soon as that is true, or when the time is up; the checks that follow tell which."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:  # noqa: ASYNC110  it looks at another process
        await asyncio.sleep(LOOK_SECONDS)


async def worker_killed(stack: Stack, reviews: int, kills: int, flushes: int) -> FaultOutcome:
    """Kill the worker and its child, empty Valkey and put junk into its lists, while reviews are in flight."""
    outcome, crowd = FaultOutcome(f"worker killed x{kills}, FLUSHALL and junk x{flushes}"), Crowd(stack)
    steps: list[Callable[[], object]] = [lambda: stack.signal(Part.WORKER, Signals.SIGKILL, group=True)] * kills
    for number in range(flushes):
        steps.insert((number + 1) * len(steps) // (flushes + 1), lambda: _flush(stack))
    before = count(stack, SUCCEEDED)
    submitting = asyncio.create_task(crowd.submit_all(short_reviews(reviews)))
    for number, step in enumerate(steps, start=1):
        share = number * reviews / (len(steps) + 1)
        await _until(lambda share=share: count(stack, SUCCEEDED) - before >= share)  # type: ignore[misc]
        step()
    outcome.figures["left after the last"] = reviews - (count(stack, SUCCEEDED) - before)
    await submitting
    await crowd.check(outcome, reviews)
    outcome.expect(set(crowd.answers) == {"202"}, f"clients saw {dict(crowd.answers)}")
    return outcome


SUCCEEDED = "SELECT count(*) FROM reviews WHERE status = 'succeeded'"


def _flush(stack: Stack) -> None:
    with redis.Redis.from_url(stack.redis_url) as client:
        client.flushall()
        for lane in Lane:
            client.lpush(queue_name(ModelLane(WorkerSettings().model, lane)), *JUNK)


async def valkey_frozen(stack: Stack, seconds: float) -> FaultOutcome:
    """Freeze Valkey: jobs are accepted as quickly as before, and are worked on when it thaws."""
    outcome, crowd = FaultOutcome(f"Valkey frozen for {seconds:g} s"), Crowd(stack)
    before = await _post_for(stack, crowd, seconds)
    stack.signal(Part.VALKEY, Signals.SIGSTOP)
    try:
        during = await _post_for(stack, crowd, seconds)
    finally:
        stack.signal(Part.VALKEY, Signals.SIGCONT)
    await crowd.check(outcome, len(crowd.jobs))
    quick, slow = spread(before), spread(during)
    outcome.figures |= {"POST p50 before ms": quick.p50, "POST p95 before ms": quick.p95}
    outcome.figures |= {"POST p50 during ms": slow.p50, "POST p95 during ms": slow.p95}
    # A busy machine moves a p95 more than the least wait for Valkey (1 s) could hide in.
    outcome.expect(slow.p95 <= 3 * quick.p95 + 20, f"POST p95 went from {quick.p95} to {slow.p95} ms")
    outcome.expect(set(crowd.answers) == {"202"}, f"clients saw {dict(crowd.answers)}")
    return outcome


async def _post_for(stack: Stack, crowd: Crowd, seconds: float) -> list[float]:
    connection, end, took = Connection(stack.url), time.monotonic() + seconds, []
    for text in itertools.cycle(short_reviews(100)):
        if time.monotonic() > end:
            break
        took.append(await crowd.submit(connection, [text]))
        await asyncio.sleep(POST_SECONDS)
    await connection.close()
    return took


async def worker_stopped(stack: Stack, reviews: int, drain_seconds: float = 28) -> FaultOutcome:
    """SIGTERM to a busy worker: it ends in time with exit code 0, and leaves no lease behind."""
    outcome, crowd, said = FaultOutcome("SIGTERM to a busy worker"), Crowd(stack), len(stack.said())
    await crowd.submit_all(short_reviews(reviews))
    await _until(lambda: count(stack, "SELECT count(*) FROM leases") > 0)
    pid, started = stack.signal(Part.WORKER, Signals.SIGTERM), time.monotonic()
    await _until(lambda: re.search("worker-1 (ended|was killed)", stack.said()[said:]) is not None)
    left = count(stack, f"SELECT count(*) FROM leases WHERE worker LIKE '%:{pid}'")  # noqa: S608  a number of ours
    outcome.figures["ended after s"] = round(time.monotonic() - started, 1)
    outcome.figures["waiting then"] = count(stack, "SELECT sum(queued) FROM jobs")
    last_words = stack.said()[said:]
    outcome.expect("worker-1 ended with exit code 0" in last_words, f"the supervisor says {last_words!r}")
    outcome.expect(time.monotonic() - started < drain_seconds, "it was not in time")
    outcome.expect(left == 0, f"it left {left} leases")
    await crowd.check(outcome, reviews)
    return outcome


async def child_killed(stack: Stack, reviews: int) -> FaultOutcome:
    """Kill only the child that predicts: its parent makes another."""
    outcome, crowd = FaultOutcome("worker child killed"), Crowd(stack)
    parent = wait_until(lambda: stack.pids(Part.WORKER), "the worker runs")[0]
    await crowd.submit_all(short_reviews(reviews))
    await _until(lambda: count(stack, "SELECT count(*) FROM leases") > 0)
    stack.signal(Part.WORKER_CHILD, Signals.SIGKILL)
    await crowd.check(outcome, reviews)
    outcome.expect(stack.pids(Part.WORKER)[:1] == [parent], "the parent did not live on")
    return outcome


async def child_frozen(stack: Stack, reviews: int) -> FaultOutcome:
    """Freeze a worker that holds reviews: another takes them over, and what the first says later is not heard."""
    outcome, crowd = FaultOutcome("worker frozen, another beside it"), Crowd(stack)
    started = count(stack, WORKERS)
    env = {**os.environ, "DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url}
    other = subprocess.Popen(  # noqa: ASYNC220  starting a process takes a millisecond
        [sys.executable, "-m", "worker.main"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
    )
    try:
        await _until(lambda: count(stack, WORKERS) > started)
        await crowd.submit_all(short_reviews(reviews))
        worker = stack.pids(Part.WORKER)[0]
        await _until(lambda: count(stack, HELD.format(worker)) > 0)
        child = stack.signal(Part.WORKER_CHILD, Signals.SIGSTOP)
        outcome.figures["held when frozen"] = count(stack, HELD.format(worker))
        try:
            await crowd.check(outcome, reviews)
        finally:
            os.kill(child, Signals.SIGCONT)
        await _until(lambda: count(stack, HELD.format(worker)) == 0)
        await crowd.check(outcome, reviews)
    finally:
        other.send_signal(Signals.SIGTERM)
        other.wait(60)
    return outcome


WORKERS = "SELECT count(*) FROM workers"
HELD = "SELECT count(*) FROM reviews JOIN leases ON token = lease_token WHERE worker LIKE '%:{}'"


async def api_killed(stack: Stack) -> FaultOutcome:
    """Kill the API between a 202 and the first look at the job: the job is there, and done."""
    outcome, crowd = FaultOutcome("API killed after a 202"), Crowd(stack)
    connection = Connection(stack.url)
    await crowd.submit(connection, short_reviews(JOB_REVIEWS))
    stack.signal(Part.API, Signals.SIGKILL)
    await connection.close()
    await crowd.check(outcome, JOB_REVIEWS)
    return outcome


async def postgres_killed(stack: Stack, seconds: float) -> FaultOutcome:
    """Kill PostgreSQL under load: clients see 2xx and 503 and nothing else, and every accepted job is finished."""
    outcome, crowd = FaultOutcome("PostgreSQL killed under load"), Crowd(stack)
    sent, end = itertools.count(), time.monotonic() + seconds

    async def submit(connection: Connection, text: str) -> None:
        if time.monotonic() < end:
            next(sent)
            await crowd.submit(connection, [text])
            await asyncio.sleep(POST_SECONDS)

    texts = short_reviews(int(seconds / POST_SECONDS) * CLIENTS)
    submitting = asyncio.create_task(for_each(stack.url, texts, CLIENTS, submit))
    await asyncio.sleep(seconds / 4)
    stack.signal(Part.POSTGRES, Signals.SIGKILL)
    await submitting
    outcome.figures |= {f"answers {status}": count for status, count in sorted(crowd.answers.items())}
    await crowd.check(outcome, next(sent))
    outcome.expect(set(crowd.answers) <= {"202", "503"}, f"clients saw {dict(crowd.answers)}")
    outcome.expect("503" in crowd.answers, "nobody noticed: it was not under load")
    return outcome


def break_by(fault: Coroutine[Any, Any, FaultOutcome], stack: Stack) -> FaultOutcome:
    """Break a stack this way once it is ready; returns when everything in flight has ended."""
    wait_until(stack.is_ready, "the service is ready", FINISH_SECONDS)
    return asyncio.run(fault)
