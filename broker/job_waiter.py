"""The waiting room: requests that wait for their job, woken by the worker's word over Redis pub/sub.

The word is a hint: whoever waits also looks by itself every two seconds. Called by api.routes.jobs, told by
broker.notifier.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from broker.connection import connect_redis_async
from broker.messages import DONE_CHANNEL, job_ids
from settings import QueueSettings

LOOK_SECONDS = 2.0
HEARD_SECONDS = 5.0
RECONNECT_SECONDS = 1.0

log = structlog.get_logger()

Seen = TypeVar("Seen")


class JobWaiter:
    """Who waits for which job, in one event loop."""

    def __init__(self, settings: QueueSettings) -> None:
        self._redis = connect_redis_async(settings)
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._heard: dict[UUID, float] = {}  # jobs that ended lately, in order, and when

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen as long as the block runs."""
        listening = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            while not listening.done():  # redis-py swallows a cancellation that comes while it connects
                listening.cancel()
                await asyncio.wait([listening], timeout=0.1)
            await self._redis.aclose()

    async def wait(
        self, job_id: UUID, seconds: float, look: Callable[[bool], Awaitable[Seen | None]], *, new: bool = False
    ) -> Seen:
        """What `look` sees at the end of the job, or when the time is up; until then, asked with True, it sees None.

        The first look at a job that was added just now (`new`) waits for a word, unless that was spoken already.
        """
        until = asyncio.get_running_loop().time() + seconds
        moved = asyncio.Event()
        self._waiting[job_id].add(moved)
        try:
            if new and seconds > 0 and job_id not in self._heard:
                with suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), min(seconds, LOOK_SECONDS))
            while True:
                moved.clear()  # before looking, so that a word spoken meanwhile is not missed
                left = until - asyncio.get_running_loop().time()
                seen = await look(left > 0)
                if seen is not None:
                    return seen
                with suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), min(left, LOOK_SECONDS))
        finally:
            self._waiting[job_id].discard(moved)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(DONE_CHANNEL)
                    async for message in channel.listen():
                        for job_id in job_ids(message["data"]):
                            self._hear(job_id)
            except (RedisError, OSError) as error:
                log.warning("waiting_room_deaf", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    def _hear(self, job_id: UUID) -> None:
        for moved in self._waiting.get(job_id, ()):
            moved.set()
        now = asyncio.get_running_loop().time()
        self._heard.pop(job_id, None)
        self._heard[job_id] = now
        while self._heard and self._heard[oldest := next(iter(self._heard))] < now - HEARD_SECONDS:
            del self._heard[oldest]
