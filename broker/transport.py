"""A Redis transport for kombu that treats each entry of a queue's list as a wake-up and never parses it.

Each entry, well formed, junk or hostile, is replaced by a new wake-up message for its queue. With kombu's own transport
one malformed entry stops the worker (Celery 5.7 exits on a JSONDecodeError, and crashes in a loop on a well-formed
envelope with a bad header).
"""

from typing import Any

import redis
from kombu.transport import redis as kombu_redis

from broker.messages import wakeup_message

_TCP_ONLY = ("socket_connect_timeout", "socket_keepalive", "socket_keepalive_options")


class WakeupClient(redis.Redis):
    """Replaces each entry returned by BRPOP with a new wake-up message."""

    def parse_response(self, connection: Any, command_name: str | bytes, **options: Any) -> Any:
        """Parse as redis-py does, except the reply of BRPOP: `[list, entry]` or None."""
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]  # redis-py has no types here
        if command_name != "BRPOP" or not reply:
            return reply
        return [reply[0], wakeup_message(reply[0].decode())]


class Channel(kombu_redis.Channel):
    """Kombu's channel with that client, and with the address parsed by redis-py (broker.redis_address).

    Kombu derives TLS from the name of its own transport. With this transport it would connect without TLS, and send the
    password in clear text.
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
    """The transport that `broker.celery_app.celery_app` configures."""

    Channel = Channel
    can_parse_url = True  # so that kombu passes the address on unchanged
