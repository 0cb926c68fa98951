"""Faults of processes, one function each: kill or freeze a process of a running stack, and check the promises.

Nothing here repairs the damage, except the SIGCONT that ends a freeze.
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
from signal import Signals
from typing import Any
from uuid import uuid4

import redis

from benchmarks.common.http_client import FINAL, Connection, NoAnswer, RequestRefused, for_each, job_body, results
from benchmarks.common.processes import Part
from benchmarks.common.review_texts import short_reviews
from benchmarks.common.spread import spread
from benchmarks.common.stack import Stack
from benchmarks.common.waiting import poll, wait_until
from benchmarks.faults.outcomes import FaultOutcome
from broker.messages import queue_name
from db.models import Lane, ModelLane
from settings import ROOT, WorkerSettings

JOB_REVIEWS = 50
CLIENTS = 8
POST_SECONDS = 0.05  # the pause of a single client between two jobs
RETRY_SECONDS = 0.1
FINISH_SECONDS = 300.0  # jobs must finish, but not quickly: the machine may be busy
LOOK_SECONDS = 0.02
SUCCEEDED = "SELECT count(*) FROM reviews WHERE status = 'succeeded'"
LEASES = "SELECT count(*) FROM leases"
WORKERS = "SELECT count(*) FROM workers"
HELD = "SELECT count(*) FROM reviews JOIN leases ON token = lease_token WHERE worker LIKE '%:{}'"
JUNK = (b"junk", b"\xff\xfe\x00", b"{}", b'{"body": 1, "headers": {}}', b"[" * 1000)


class RetryingClients:
    """Clients that repeat each job under its idempotency key until it is accepted."""

    def __init__(self, stack: Stack) -> None:
        self.answers: Counter[str] = Counter()
        self.jobs: list[str] = []
        self._stack = stack

    async def submit(self, connection: Connection, texts: Sequence[str]) -> float:
        """Submit a job until it is accepted; return the milliseconds to the first answer."""
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
        """Submit the reviews as jobs of 50."""
        await for_each(self._stack.url, _jobs(texts), CLIENTS, self.submit)

    async def check(self, outcome: FaultOutcome, reviews: int) -> None:
        """Wait until every accepted job has ended; expect exactly one result for each review and no lease."""
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
        left = self._stack.count(LEASES)
        outcome.expect(left == 0, f"{left} leases were left")


def _jobs(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[start : start + JOB_REVIEWS] for start in range(0, len(texts), JOB_REVIEWS)]


async def _finished(connection: Connection, job_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a job once it has ended, and its results; ask again while the service is away."""
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


async def _until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition is true, or when the time is up; the checks that follow notice that."""
    await asyncio.to_thread(poll, condition, FINISH_SECONDS, LOOK_SECONDS)


async def worker_killed(stack: Stack, reviews: int, kills: int, flushes: int) -> FaultOutcome:
    """Kill the worker with its child, empty Valkey and put junk into its lists, while reviews are in flight."""
    outcome, clients = FaultOutcome(f"worker killed x{kills}, FLUSHALL and junk x{flushes}"), RetryingClients(stack)
    steps: list[Callable[[], object]] = [lambda: stack.signal(Part.WORKER, Signals.SIGKILL, group=True)] * kills
    for number in range(flushes):
        steps.insert((number + 1) * len(steps) // (flushes + 1), lambda: _flush(stack))
    before = stack.count(SUCCEEDED)
    submitting = asyncio.create_task(clients.submit_all(short_reviews(reviews)))
    for number, step in enumerate(steps, start=1):
        share = number * reviews / (len(steps) + 1)
        await _until(lambda share=share: stack.count(SUCCEEDED) - before >= share)  # type: ignore[misc]
        step()
    outcome.figures["left after the last"] = reviews - (stack.count(SUCCEEDED) - before)
    await submitting
    await clients.check(outcome, reviews)
    outcome.expect(set(clients.answers) == {"202"}, f"clients saw {dict(clients.answers)}")
    return outcome


def _flush(stack: Stack) -> None:
    with redis.Redis.from_url(stack.redis_url) as client:
        client.flushall()
        for lane in Lane:
            client.lpush(queue_name(ModelLane(WorkerSettings().model, lane)), *JUNK)


async def valkey_frozen(stack: Stack, seconds: float) -> FaultOutcome:
    """Freeze Valkey: jobs are accepted as quickly as before, and classified when it continues."""
    outcome, clients = FaultOutcome(f"Valkey frozen for {seconds:g} s"), RetryingClients(stack)
    before = await _post_for(stack, clients, seconds)
    stack.signal(Part.VALKEY, Signals.SIGSTOP)
    try:
        during = await _post_for(stack, clients, seconds)
    finally:
        stack.signal(Part.VALKEY, Signals.SIGCONT)
    await clients.check(outcome, len(clients.jobs))
    quick, slow = spread(before), spread(during)
    outcome.figures |= {"POST p50 before ms": quick.p50, "POST p95 before ms": quick.p95}
    outcome.figures |= {"POST p50 during ms": slow.p50, "POST p95 during ms": slow.p95}
    # A busy machine moves the p95; waiting for Valkey would add at least 1 s.
    outcome.expect(slow.p95 <= 3 * quick.p95 + 20, f"POST p95 went from {quick.p95} to {slow.p95} ms")
    outcome.expect(set(clients.answers) == {"202"}, f"clients saw {dict(clients.answers)}")
    return outcome


async def _post_for(stack: Stack, clients: RetryingClients, seconds: float) -> list[float]:
    connection, end, took = Connection(stack.url), time.monotonic() + seconds, []
    for text in itertools.cycle(short_reviews(100)):
        if time.monotonic() > end:
            break
        took.append(await clients.submit(connection, [text]))
        await asyncio.sleep(POST_SECONDS)
    await connection.close()
    return took


async def worker_stopped(stack: Stack, reviews: int, drain_seconds: float = 28) -> FaultOutcome:
    """Send SIGTERM to a busy worker: it ends in time with exit code 0 and leaves no lease."""
    outcome, clients = FaultOutcome("SIGTERM to a busy worker"), RetryingClients(stack)
    logged = len(stack.log())
    await clients.submit_all(short_reviews(reviews))
    await _until(lambda: stack.count(LEASES) > 0)
    pid, started = stack.signal(Part.WORKER, Signals.SIGTERM), time.monotonic()
    await _until(lambda: re.search("worker-1 (ended|was killed)", stack.log()[logged:]) is not None)
    left = stack.count(f"{LEASES} WHERE worker LIKE '%:{pid}'")
    outcome.figures["ended after s"] = round(time.monotonic() - started, 1)
    outcome.figures["waiting then"] = stack.count("SELECT sum(queued) FROM jobs")
    logs = stack.log()[logged:]
    outcome.expect("worker-1 ended with exit code 0" in logs, f"the supervisor logged {logs!r}")
    outcome.expect(time.monotonic() - started < drain_seconds, "the worker did not end in time")
    outcome.expect(left == 0, f"the worker left {left} leases")
    await clients.check(outcome, reviews)
    return outcome


async def child_killed(stack: Stack, reviews: int) -> FaultOutcome:
    """Kill only the child that predicts: its parent starts another."""
    outcome, clients = FaultOutcome("worker child killed"), RetryingClients(stack)
    parent = wait_until(lambda: stack.pids(Part.WORKER), "the worker runs")[0]
    await clients.submit_all(short_reviews(reviews))
    await _until(lambda: stack.count(LEASES) > 0)
    stack.signal(Part.WORKER_CHILD, Signals.SIGKILL)
    await clients.check(outcome, reviews)
    outcome.expect(stack.pids(Part.WORKER)[:1] == [parent], "the parent was replaced")
    return outcome


async def child_frozen(stack: Stack, reviews: int) -> FaultOutcome:
    """Freeze a worker that holds reviews: another classifies them, and late results of the first are dropped."""
    outcome, clients = FaultOutcome("worker frozen, another beside it"), RetryingClients(stack)
    started = stack.count(WORKERS)
    env = {**os.environ, "DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url}
    other = subprocess.Popen(  # noqa: ASYNC220  starting a process takes a millisecond
        [sys.executable, "-m", "worker.main"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
    )
    try:
        await _until(lambda: stack.count(WORKERS) > started)
        await clients.submit_all(short_reviews(reviews))
        worker = stack.pids(Part.WORKER)[0]
        await _until(lambda: stack.count(HELD.format(worker)) > 0)
        child = stack.signal(Part.WORKER_CHILD, Signals.SIGSTOP)
        outcome.figures["held when frozen"] = stack.count(HELD.format(worker))
        try:
            await clients.check(outcome, reviews)
        finally:
            os.kill(child, Signals.SIGCONT)
        await _until(lambda: stack.count(HELD.format(worker)) == 0)
        await clients.check(outcome, reviews)
    finally:
        other.send_signal(Signals.SIGTERM)
        other.wait(60)
    return outcome


async def api_killed(stack: Stack) -> FaultOutcome:
    """Kill the API right after it accepted a job: the job is stored and completed."""
    outcome, clients = FaultOutcome("API killed after a 202"), RetryingClients(stack)
    connection = Connection(stack.url)
    await clients.submit(connection, short_reviews(JOB_REVIEWS))
    stack.signal(Part.API, Signals.SIGKILL)
    await connection.close()
    await clients.check(outcome, JOB_REVIEWS)
    return outcome


async def postgres_killed(stack: Stack, seconds: float) -> FaultOutcome:
    """Kill PostgreSQL under load: clients see only 2xx and 503, and every accepted job is completed."""
    outcome, clients = FaultOutcome("PostgreSQL killed under load"), RetryingClients(stack)
    sent, end = itertools.count(), time.monotonic() + seconds

    async def submit(connection: Connection, text: str) -> None:
        if time.monotonic() < end:
            next(sent)
            await clients.submit(connection, [text])
            await asyncio.sleep(POST_SECONDS)

    texts = short_reviews(int(seconds / POST_SECONDS) * CLIENTS)
    submitting = asyncio.create_task(for_each(stack.url, texts, CLIENTS, submit))
    await asyncio.sleep(seconds / 4)
    stack.signal(Part.POSTGRES, Signals.SIGKILL)
    await submitting
    outcome.figures |= {f"answers {status}": count for status, count in sorted(clients.answers.items())}
    await clients.check(outcome, next(sent))
    outcome.expect(set(clients.answers) <= {"202", "503"}, f"clients saw {dict(clients.answers)}")
    outcome.expect("503" in clients.answers, "no client saw a 503: the service was not under load")
    return outcome


def break_by(fault: Coroutine[Any, Any, FaultOutcome], stack: Stack) -> FaultOutcome:
    """Run one fault on a stack once it is ready; return when everything in flight has ended."""
    wait_until(stack.is_ready, "the service is ready", FINISH_SECONDS)
    return asyncio.run(fault)
