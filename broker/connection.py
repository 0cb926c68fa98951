"""Connect to Redis with short timeouts, and export the connections as metrics."""

from functools import partial
from weakref import WeakSet

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from broker.redis_address import tls_options
from monitoring.metrics import POOL
from settings import QueueSettings

# Messages are only hints, so a send to a frozen Redis gives up after a second.
SOCKET_TIMEOUT_SECONDS = 1

_clients: "WeakSet[redis.Redis]" = WeakSet()


def connect_redis_async(settings: QueueSettings) -> "redis.asyncio.Redis":
    """Return a client for an event loop; it connects on first use."""
    return redis.asyncio.Redis.from_url(settings.redis_url, **tls_options(settings), socket_connect_timeout=3)


def connect_redis(settings: QueueSettings) -> redis.Redis:
    """Return a client with short timeouts and without retries: it sends only hints."""
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
    """Return the number of idle (0) or used (1) connections of all clients."""
    return sum(client.connection_pool.get_connection_count()[place][0] for client in list(_clients))
