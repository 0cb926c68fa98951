"""Tells waiting API processes which jobs have ended, over Redis pub/sub, from a thread of its own.

Only a hint: who waits also looks by itself now and then. Called by worker.drain after COMMIT;
heard by broker.job_waiter.
"""

import queue
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

import redis

from broker.connection import connect_redis
from broker.messages import DONE_CHANNEL, done_message
from settings import QueueSettings

BACKLOG = 1000  # messages kept while Redis does not answer; what does not fit is dropped


class Notifier:
    """A queue and the thread that empties it into Redis; must run in a thread of the caller's choice."""

    def __init__(self, settings: QueueSettings) -> None:
        self._redis = connect_redis(settings)
        self._messages: queue.Queue[bytes | None] = queue.Queue(BACKLOG)

    def notify(self, job_ids: Iterable[UUID]) -> None:
        """Say that these jobs have ended, if any; returns at once and never fails."""
        with suppress(queue.Full):
            if message := done_message(job_ids):
                self._messages.put_nowait(message)

    def run(self) -> None:
        """Publish until closed."""
        while (message := self._messages.get()) is not None:
            with suppress(redis.RedisError, OSError):
                self._redis.publish(DONE_CHANNEL, message)
        self._redis.close()

    def close(self) -> None:
        """End `run` once it has published what was said before."""
        self._messages.put(None)
