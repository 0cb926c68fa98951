"""The waiting room against a real Valkey: a word wakes, and nothing depends on it."""

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
    """A job that ends when the test says so, and how often somebody looked."""

    def __init__(self) -> None:
        self.ended = False
        self.looks = 0

    async def look(self, only_ended: bool) -> bool | None:
        self.looks += 1
        return self.ended or (None if only_ended else False)


@pytest.fixture
def job() -> Job:
    return Job()


@pytest.fixture
def only_a_word_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by himself for as long as a test lasts."""
    monkeypatch.setattr(job_waiter, "LOOK_SECONDS", 60)
    monkeypatch.setattr(job_waiter, "RECONNECT_SECONDS", 0.01)


def run(queue: QueueSettings, scenario: Callable[[JobWaiter], Awaitable[None]]) -> None:
    async def opened() -> None:
        room = JobWaiter(queue)
        async with room.open():
            await scenario(room)

    asyncio.run(opened())


async def begin(room: JobWaiter, job: Job, seconds: float = 20) -> "asyncio.Task[bool]":
    """Somebody waits, and has looked in vain."""
    task = asyncio.create_task(room.wait(JOB, seconds, job.look))
    await eventually(lambda: job.looks)
    return task


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  some conditions are the server's
            await asyncio.sleep(0.001)


async def speak(queue: QueueSettings, words: list[bytes], until: "asyncio.Future[bool]") -> bool:
    """Say all words again and again: nobody knows when the room has begun to listen."""
    with redis.Redis.from_url(queue.redis_url) as client:
        while not until.done():
            for word in words:
                client.publish(DONE_CHANNEL, word)
            await asyncio.wait([until], timeout=0.01)
    return await until


@pytest.mark.usefixtures("only_a_word_wakes")
@pytest.mark.parametrize(
    "words",
    [
        [done_message([JOB])],
        [done_message([OTHER, JOB, OTHER])],
        [b"\xff\x00,,junk", b"", b"9" * 1_000_000, done_message([JOB])],
    ],
    ids=["alone", "among others", "after junk"],
)
def test_a_word_wakes_who_waits_for_the_job(queue: QueueSettings, job: Job, words: list[bytes]) -> None:
    async def scenario(room: JobWaiter) -> None:
        task = await begin(room, job)
        job.ended = True
        assert await speak(queue, words, task)

    run(queue, scenario)


@pytest.mark.usefixtures("only_a_word_wakes")
def test_a_word_about_another_job_wakes_nobody(queue: QueueSettings, job: Job) -> None:
    async def scenario(room: JobWaiter) -> None:
        task = await begin(room, job)
        another = Job()
        other = asyncio.create_task(room.wait(OTHER, 20, another.look))
        asyncio.get_running_loop().call_later(0.05, setattr, another, "ended", True)
        await speak(queue, [done_message([OTHER])], other)
        assert (job.looks, task.done()) == (1, False)
        task.cancel()

    run(queue, scenario)


@pytest.mark.parametrize("turns", range(12))
def test_it_closes_at_any_moment_of_connecting(queue: QueueSettings, turns: int) -> None:
    async def scenario(_: JobWaiter) -> None:
        for _turn in range(turns):
            await asyncio.sleep(0)

    run(queue, scenario)


@pytest.mark.usefixtures("only_a_word_wakes")
def test_a_cut_connection_is_made_anew(queue: QueueSettings, job: Job) -> None:
    async def scenario(room: JobWaiter) -> None:
        with redis.Redis.from_url(queue.redis_url) as client:
            await eventually(lambda: client.client_kill_filter(_type="pubsub"))  # as soon as it listens
        task = await begin(room, job)
        job.ended = True
        assert await speak(queue, [done_message([JOB])], task)

    run(queue, scenario)


def test_without_redis_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch, job: Job) -> None:
    monkeypatch.setattr(job_waiter, "LOOK_SECONDS", 0.01)

    async def scenario(room: JobWaiter) -> None:
        task = await begin(room, job)
        job.ended = True
        assert await task

    run(QueueSettings(redis_url=f"redis://127.0.0.1:{embedded.free_port()}"), scenario)


def test_when_the_time_is_up_it_says_what_it_saw(queue: QueueSettings, job: Job) -> None:
    async def scenario(room: JobWaiter) -> None:
        assert await room.wait(JOB, 0.01, job.look) is False

    run(queue, scenario)


def test_who_cannot_wait_looks_once(queue: QueueSettings, job: Job) -> None:
    async def scenario(room: JobWaiter) -> None:
        await room.wait(JOB, 0, job.look)
        assert job.looks == 1

    run(queue, scenario)


def test_who_goes_away_leaves_nothing_behind(queue: QueueSettings, job: Job) -> None:
    async def scenario(room: JobWaiter) -> None:
        task = await begin(room, job)
        task.cancel()
        await asyncio.wait([task])
        assert not room._waiting

    run(queue, scenario)


def test_waiting_for_a_job_that_is_deleted_ends(client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json={"reviews": [{"text": "x"}]}).json()["urls"]["self"]
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(client.get, job, params={"wait": 20})
        wait_until(answer.running)
        client.delete(job)
        assert answer.result().status_code == 404


@pytest.mark.usefixtures("worker")
def test_many_wait_for_one_job_and_all_hear_its_end(client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json={"reviews": [{"text": "x"}] * 200}).json()["urls"]["self"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.get(job, params={"wait": 20}).json()["status"], range(8)))
    assert answers == ["succeeded"] * 8


@pytest.mark.usefixtures("only_a_word_wakes")
def test_a_word_that_came_before_its_waiter_is_not_lost(queue: QueueSettings, job: Job) -> None:
    async def scenario(room: JobWaiter) -> None:
        waiting = await begin(room, job)  # for whom the word is repeated until it is heard
        job.ended = True
        await speak(queue, [done_message([JOB])], waiting)
        assert await room.wait(JOB, 20, job.look, new=True)

    run(queue, scenario)


@pytest.mark.usefixtures("only_a_word_wakes")
def test_a_new_job_is_not_looked_at_before_a_word(queue: QueueSettings, job: Job) -> None:
    async def scenario(room: JobWaiter) -> None:
        job.ended = True
        waiting = asyncio.create_task(room.wait(JOB, 20, job.look, new=True))
        await asyncio.wait([waiting], timeout=0.05)
        assert job.looks == 0
        assert await speak(queue, [done_message([JOB])], waiting)
        assert job.looks == 1

    run(queue, scenario)


def test_a_new_job_is_looked_at_without_a_word_too(
    queue: QueueSettings, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_waiter, "LOOK_SECONDS", 0.05)

    async def scenario(room: JobWaiter) -> None:
        job.ended = True
        assert await room.wait(JOB, 20, job.look, new=True)

    run(queue, scenario)


def test_words_are_forgotten_after_a_while(queue: QueueSettings, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_waiter, "HEARD_SECONDS", -1)

    async def scenario(room: JobWaiter) -> None:
        waiter = await begin(room, job)
        job.ended = True
        assert await speak(queue, [done_message([JOB, OTHER])], waiter)
        assert list(room._heard) == []  # that memory is bounded shows nowhere else

    run(queue, scenario)
