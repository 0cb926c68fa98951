"""Wait for the end of a job: a message over Redis pub/sub wakes the request, which also polls every two seconds."""

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

POLL_SECONDS = 2.0
RECENT_SECONDS = 5.0
RECONNECT_SECONDS = 1.0

log = structlog.get_logger()

T = TypeVar("T")


class JobWaiter:
    """The waiting requests of one event loop, by job."""

    def __init__(self, settings: QueueSettings) -> None:
        self._redis = connect_redis_async(settings)
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._ended: dict[UUID, float] = {}  # recently ended jobs in order, with the time of their message

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen for messages while the block runs."""
        listening = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            while not listening.done():  # redis-py swallows a cancellation while it connects
                listening.cancel()
                await asyncio.wait([listening], timeout=0.1)
            await self._redis.aclose()

    async def wait(
        self, job_id: UUID, seconds: float, read: Callable[[bool], Awaitable[T | None]], *, new: bool = False
    ) -> T:
        """Return the result of `read` at the end of the job, or after `seconds`.

        `read(True)` returns None while the job runs; `read(False)` is the last call and returns the unfinished job. For
        a job that was just added (`new`), the first call waits for a message, unless that has arrived already.
        """
        until = asyncio.get_running_loop().time() + seconds
        ended = asyncio.Event()
        self._waiting[job_id].add(ended)
        try:
            if new and seconds > 0 and job_id not in self._ended:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), min(seconds, POLL_SECONDS))
            while True:
                ended.clear()  # before reading, so that a message that arrives meanwhile is not missed
                left = until - asyncio.get_running_loop().time()
                found = await read(left > 0)
                if found is not None:
                    return found
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), min(left, POLL_SECONDS))
        finally:
            self._waiting[job_id].discard(ended)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(DONE_CHANNEL)
                    async for message in channel.listen():
                        for job_id in job_ids(message["data"]):
                            self._wake(job_id)
            except (RedisError, OSError) as error:
                log.warning("job_waiter_disconnected", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    def _wake(self, job_id: UUID) -> None:
        for ended in self._waiting.get(job_id, ()):
            ended.set()
        now = asyncio.get_running_loop().time()
        self._ended.pop(job_id, None)
        self._ended[job_id] = now
        while self._ended and self._ended[oldest := next(iter(self._ended))] < now - RECENT_SECONDS:
            del self._ended[oldest]
