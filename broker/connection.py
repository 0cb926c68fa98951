"""Connect to Redis with short timeouts, and show the connections as metrics."""

from functools import partial
from weakref import WeakSet

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from broker.redis_address import tls_options
from monitoring.metrics import POOL
from settings import QueueSettings

# A message is never worth waiting for: with this, one into a frozen Redis gives up after a second.
SOCKET_TIMEOUT_SECONDS = 1

_clients: "WeakSet[redis.Redis]" = WeakSet()


def connect_redis_async(settings: QueueSettings) -> "redis.asyncio.Redis":
    """A client for an event loop; it connects when it is used."""
    return redis.asyncio.Redis.from_url(settings.redis_url, **tls_options(settings), socket_connect_timeout=3)


def connect_redis(settings: QueueSettings) -> redis.Redis:
    """A client that gives up quickly: nothing that is sent through it is worth waiting for."""
    client = redis.Redis.from_url(
        settings.redis_url,
        **tls_options(settings),
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    _clients.add(client)
    for place, state in enumerate(("idle", "in_use")):
        POOL.labels("redis", state).set_function(partial(_connections, place))
    return client


def _connections(place: int) -> int:
    """Connections of all our clients that are idle (0) or in use (1)."""
    return sum(client.connection_pool.get_connection_count()[place][0] for client in list(_clients))
