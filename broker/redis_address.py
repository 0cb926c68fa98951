"""Parse `REDIS_URL` once for all clients: redis-py, its asyncio client and kombu.

`rediss` means TLS for all of them, `unix` a socket file; user, password and database come from the address.
"""

from typing import Any

from redis.connection import parse_url

from settings import QueueSettings


def tls_options(settings: QueueSettings) -> dict[str, Any]:
    """Return the keyword arguments of `from_url` for the configured certificates; none without TLS."""
    files = {
        "ssl_ca_certs": settings.redis_tls_ca,
        "ssl_certfile": settings.redis_tls_cert,
        "ssl_keyfile": settings.redis_tls_key,
    }
    return {name: str(path) for name, path in files.items() if path}


def connection_options(settings: QueueSettings) -> dict[str, Any]:
    """Return the arguments of a `redis.ConnectionPool`, with `connection_class` unless that is plain TCP."""
    parsed: dict[str, Any] = parse_url(settings.redis_url)  # type: ignore[no-untyped-call]  # redis-py has no types here
    return tls_options(settings) | parsed
