"""How every client of this service reads `REDIS_URL`: redis-py's, asyncio's and kombu's.

`rediss` means TLS for all of them, `unix` a socket file; user, password and database are what the address says.
"""

from typing import Any

from redis.connection import parse_url

from settings import QueueSettings


def tls_options(settings: QueueSettings) -> dict[str, Any]:
    """Return what `from_url` takes beside the address: our certificates, where it is `rediss`."""
    files = {
        "ssl_ca_certs": settings.redis_tls_ca,
        "ssl_certfile": settings.redis_tls_cert,
        "ssl_keyfile": settings.redis_tls_key,
    }
    return {name: str(path) for name, path in files.items() if path}


def connection_options(settings: QueueSettings) -> dict[str, Any]:
    """Return what a `redis.ConnectionPool` takes, `connection_class` among it unless that is plain TCP."""
    parsed: dict[str, Any] = parse_url(settings.redis_url)  # type: ignore[no-untyped-call]  # redis-py has no types here
    return tls_options(settings) | parsed
