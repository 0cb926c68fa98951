"""Wake a worker for a queue in which reviews wait; if the message is lost, the next maintenance round sends another."""

import threading
from typing import Self

import redis
import structlog

from broker.connection import SOCKET_TIMEOUT_SECONDS, connect_redis
from broker.messages import queue_name, wakeup_message
from db.models import Lane, ModelLane
from settings import QueueSettings

# Coalesced: a queue never holds more than the configured number of wake-ups, however many are sent.
# A key that is no list is deleted: it blocks the queue, and only wake-ups can be lost with it.
_WAKE = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'list' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
if redis.call('LLEN', KEYS[1]) < tonumber(ARGV[1]) then redis.call('LPUSH', KEYS[1], ARGV[2]) end
"""

log = structlog.get_logger()


class Waker:
    """Sends wake-ups from a thread of its own, so that callers never wait for Redis."""

    def __init__(self, settings: QueueSettings) -> None:
        self._redis = connect_redis(settings)
        self._wake_script = self._redis.register_script(_WAKE)
        self._outstanding = settings.rings_outstanding
        self._pending: set[ModelLane] = set()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=3 * SOCKET_TIMEOUT_SECONDS)
        self._redis.close()

    def wake(self, queue: ModelLane) -> None:
        """Wake a worker for this queue soon; never block and never fail."""
        with self._changed:
            self._pending.add(queue)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closing)
                if not self._pending:
                    return
                queues, self._pending = self._pending, set()
            for queue in sorted(queues, key=lambda queue: list(Lane).index(queue.lane)):
                self._send(queue_name(queue))

    def _send(self, queue: str) -> None:
        try:
            self._wake_script(keys=[queue], args=[self._outstanding, wakeup_message(queue)])
        except (redis.RedisError, OSError) as error:
            log.warning("wakeup_failed", queue=queue, error=str(error))
