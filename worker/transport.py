"""Kombu's Redis transport, for which whatever stands in a lane's list is a ring and nothing more.

A message is not parsed: each entry, well formed, junk or hostile, is replaced by a fresh ring of the
lane it stood in. With the stock transport one malformed entry ends the worker (celery 5.7 exits on a
JSONDecodeError, and crashes in a loop on a well-formed envelope with a bad header).
"""

from typing import Any

import redis
from kombu.transport import redis as kombu_redis

from worker.messages import ring_message


class RingClient(redis.Redis):
    """Replaces what a BRPOP brings by a ring."""

    def parse_response(self, connection: Any, command_name: str | bytes, **options: Any) -> Any:
        """As redis-py's, but for the reply of BRPOP: `[list, entry]` or None."""
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]  # redis-py has no types here
        if command_name != "BRPOP" or not reply:
            return reply
        return [reply[0], ring_message(reply[0].decode())]


class Channel(kombu_redis.Channel):
    """Kombu's channel with that client."""

    def _get_client(self) -> type[redis.Redis]:
        return RingClient


class Transport(kombu_redis.Transport):
    """Named in `worker.main.celery_app`."""

    Channel = Channel
