"""JobWaiter with a real Valkey: a message wakes a request, and no result depends on it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest
import redis

from broker import job_waiter
from broker.job_waiter import JobWaiter
from broker.messages import DONE_CHANNEL, done_message
from local import embedded
from settings import QueueSettings
from tests.conftest import wait_until

JOB = UUID(int=1)
OTHER = UUID(int=2)


class Job:
    """A job that ends when the test sets `ended`; it counts how often it was read."""

    def __init__(self) -> None:
        self.ended = False
        self.reads = 0

    async def read(self, only_ended: bool) -> bool | None:
        self.reads += 1
        return self.ended or (None if only_ended else False)


@pytest.fixture
def job() -> Job:
    return Job()


@pytest.fixture
def without_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """No polling for the duration of a test."""
    monkeypatch.setattr(job_waiter, "POLL_SECONDS", 60)
    monkeypatch.setattr(job_waiter, "RECONNECT_SECONDS", 0.01)


def run(queue: QueueSettings, scenario: Callable[[JobWaiter], Awaitable[None]]) -> None:
    async def opened() -> None:
        waiter = JobWaiter(queue)
        async with waiter.open():
            await scenario(waiter)

    asyncio.run(opened())


async def begin(waiter: JobWaiter, job: Job, seconds: float = 20) -> "asyncio.Task[bool]":
    """Start a waiting request, which has read the unfinished job."""
    task = asyncio.create_task(waiter.wait(JOB, seconds, job.read))
    await eventually(lambda: job.reads)
    return task


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  some conditions are the server's
            await asyncio.sleep(0.001)


async def publish(queue: QueueSettings, messages: list[bytes], until: "asyncio.Future[bool]") -> bool:
    """Publish the messages repeatedly, since it is unknown when the waiter has subscribed."""
    with redis.Redis.from_url(queue.redis_url) as client:
        while not until.done():
            for message in messages:
                client.publish(DONE_CHANNEL, message)
            await asyncio.wait([until], timeout=0.01)
    return await until


@pytest.mark.usefixtures("without_polling")
@pytest.mark.parametrize(
    "messages",
    [
        [done_message([JOB])],
        [done_message([OTHER, JOB, OTHER])],
        [b"\xff\x00,,junk", b"", b"9" * 1_000_000, done_message([JOB])],
    ],
    ids=["alone", "among others", "after junk"],
)
def test_a_message_wakes_the_request_that_waits_for_the_job(
    queue: QueueSettings, job: Job, messages: list[bytes]
) -> None:
    async def scenario(waiter: JobWaiter) -> None:
        task = await begin(waiter, job)
        job.ended = True
        assert await publish(queue, messages, task)

    run(queue, scenario)


@pytest.mark.usefixtures("without_polling")
def test_a_message_about_another_job_wakes_no_request(queue: QueueSettings, job: Job) -> None:
    async def scenario(waiter: JobWaiter) -> None:
        task = await begin(waiter, job)
        another = Job()
        other = asyncio.create_task(waiter.wait(OTHER, 20, another.read))
        asyncio.get_running_loop().call_later(0.05, setattr, another, "ended", True)
        await publish(queue, [done_message([OTHER])], other)
        assert (job.reads, task.done()) == (1, False)
        task.cancel()

    run(queue, scenario)


@pytest.mark.parametrize("turns", range(12))
def test_it_closes_at_any_moment_of_connecting(queue: QueueSettings, turns: int) -> None:
    async def scenario(_: JobWaiter) -> None:
        for _turn in range(turns):
            await asyncio.sleep(0)

    run(queue, scenario)


@pytest.mark.usefixtures("without_polling")
def test_a_cut_connection_is_made_anew(queue: QueueSettings, job: Job) -> None:
    async def scenario(waiter: JobWaiter) -> None:
        with redis.Redis.from_url(queue.redis_url) as client:
            await eventually(lambda: client.client_kill_filter(_type="pubsub"))  # as soon as it listens
        task = await begin(waiter, job)
        job.ended = True
        assert await publish(queue, [done_message([JOB])], task)

    run(queue, scenario)


def test_without_redis_it_polls(monkeypatch: pytest.MonkeyPatch, job: Job) -> None:
    monkeypatch.setattr(job_waiter, "POLL_SECONDS", 0.01)

    async def scenario(waiter: JobWaiter) -> None:
        task = await begin(waiter, job)
        job.ended = True
        assert await task

    run(QueueSettings(redis_url=f"redis://127.0.0.1:{embedded.free_port()}"), scenario)


def test_when_the_time_is_up_it_returns_the_unfinished_job(queue: QueueSettings, job: Job) -> None:
    async def scenario(waiter: JobWaiter) -> None:
        assert await waiter.wait(JOB, 0.01, job.read) is False

    run(queue, scenario)


def test_without_time_to_wait_it_reads_once(queue: QueueSettings, job: Job) -> None:
    async def scenario(waiter: JobWaiter) -> None:
        await waiter.wait(JOB, 0, job.read)
        assert job.reads == 1

    run(queue, scenario)


def test_a_cancelled_request_leaves_nothing_behind(queue: QueueSettings, job: Job) -> None:
    async def scenario(waiter: JobWaiter) -> None:
        task = await begin(waiter, job)
        task.cancel()
        await asyncio.wait([task])
        assert not waiter._waiting

    run(queue, scenario)


def test_waiting_for_a_job_that_is_deleted_ends(client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json={"reviews": [{"text": "x"}]}).json()["urls"]["self"]
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(client.get, job, params={"wait": 20})
        wait_until(answer.running)
        client.delete(job)
        assert answer.result().status_code == 404


@pytest.mark.usefixtures("worker")
def test_many_requests_wait_for_one_job_and_all_return_at_its_end(client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json={"reviews": [{"text": "x"}] * 200}).json()["urls"]["self"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.get(job, params={"wait": 20}).json()["status"], range(8)))
    assert answers == ["succeeded"] * 8


@pytest.mark.usefixtures("without_polling")
def test_a_message_that_came_before_its_request_is_not_lost(queue: QueueSettings, job: Job) -> None:
    async def scenario(waiter: JobWaiter) -> None:
        waiting = await begin(waiter, job)  # the message is repeated until this request receives it
        job.ended = True
        await publish(queue, [done_message([JOB])], waiting)
        assert await waiter.wait(JOB, 20, job.read, new=True)

    run(queue, scenario)


@pytest.mark.usefixtures("without_polling")
def test_a_new_job_is_not_read_before_a_message(queue: QueueSettings, job: Job) -> None:
    async def scenario(waiter: JobWaiter) -> None:
        job.ended = True
        waiting = asyncio.create_task(waiter.wait(JOB, 20, job.read, new=True))
        await asyncio.wait([waiting], timeout=0.05)
        assert job.reads == 0
        assert await publish(queue, [done_message([JOB])], waiting)
        assert job.reads == 1

    run(queue, scenario)


def test_a_new_job_is_read_without_a_message_after_a_while(
    queue: QueueSettings, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_waiter, "POLL_SECONDS", 0.05)

    async def scenario(waiter: JobWaiter) -> None:
        job.ended = True
        assert await waiter.wait(JOB, 20, job.read, new=True)

    run(queue, scenario)


def test_messages_are_forgotten_after_a_while(queue: QueueSettings, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_waiter, "RECENT_SECONDS", -1)

    async def scenario(waiter: JobWaiter) -> None:
        waiting = await begin(waiter, job)
        job.ended = True
        assert await publish(queue, [done_message([JOB, OTHER])], waiting)
        assert list(waiter._ended) == []  # no other effect shows that the memory is bounded

    run(queue, scenario)
