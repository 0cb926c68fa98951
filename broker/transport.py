"""Kombu's Redis transport, for which whatever stands in a lane's list is a ring and nothing more.

A message is not parsed: each entry, well formed, junk or hostile, is replaced by a fresh ring of the
lane it stood in. With the stock transport one malformed entry ends the worker (celery 5.7 exits on a
JSONDecodeError, and crashes in a loop on a well-formed envelope with a bad header).
"""

from typing import Any

import redis
from kombu.transport import redis as kombu_redis

from broker.messages import wakeup_message

_TCP_ONLY = ("socket_connect_timeout", "socket_keepalive", "socket_keepalive_options")


class WakeupClient(redis.Redis):
    """Replaces what a BRPOP brings by a ring."""

    def parse_response(self, connection: Any, command_name: str | bytes, **options: Any) -> Any:
        """As redis-py's, but for the reply of BRPOP: `[list, entry]` or None."""
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]  # redis-py has no types here
        if command_name != "BRPOP" or not reply:
            return reply
        return [reply[0], wakeup_message(reply[0].decode())]


class Channel(kombu_redis.Channel):
    """Kombu's channel with that client, at the address that redis-py has read (broker.redis_address).

    Kombu's own reading takes TLS from the name of its transport, which ours replaces: the password went in clear text.
    """

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        address = dict((self.connection.client.transport_options or {})["address"])  # type: ignore[union-attr]
        self.connection_class = address.pop("connection_class", redis.Connection)
        options: dict[str, Any] = super()._connparams(asynchronous) | address  # type: ignore[misc]  # not in the types
        if "path" in address:
            for name in ("host", "port", *_TCP_ONLY):
                options.pop(name, None)
        return options

    def _get_client(self) -> type[redis.Redis]:
        return WakeupClient


class Transport(kombu_redis.Transport):
    """Named in `broker.celery_app.celery_app`."""

    Channel = Channel
    can_parse_url = True  # so that kombu leaves the address as it is
