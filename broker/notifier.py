"""Publish ended jobs over Redis pub/sub, from a thread of its own. broker.job_waiter receives them.

Call it after the COMMIT. The message is only a hint: waiting requests also poll.
"""

import queue
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

import redis

from broker.connection import connect_redis
from broker.messages import DONE_CHANNEL, done_message
from settings import QueueSettings

BACKLOG = 1000  # messages kept while Redis does not answer; further ones are dropped


class Notifier:
    """A bounded queue of messages; the caller starts a thread that runs `run`."""

    def __init__(self, settings: QueueSettings) -> None:
        self._redis = connect_redis(settings)
        self._messages: queue.Queue[bytes | None] = queue.Queue(BACKLOG)

    def notify(self, job_ids: Iterable[UUID]) -> None:
        """Queue a message that these jobs have ended, if there are any; never block and never fail."""
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
        """End `run` after it has published the messages queued so far."""
        self._messages.put(None)
