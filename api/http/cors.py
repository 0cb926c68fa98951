"""The headers that let pages of CORS_ORIGINS read answers; `api.http.security` refuses pages of other sites."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from settings import ApiSettings

METHODS = ("DELETE", "GET", "HEAD", "POST")
#: Headers of answers that a page may read, besides those that browsers always show.
EXPOSED = (
    *("Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Idempotent-Replayed", "Location"),
    *("Preference-Applied", "Retry-After", "X-Request-ID"),
)


def cors(settings: ApiSettings) -> list[Middleware]:
    """Return the CORS middleware, or none without CORS_ORIGINS."""
    if not settings.allowed_origins:
        return []
    # Any request header: the API ignores those that it does not know. No credentials: it has no cookies.
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.allowed_origins),
            allow_methods=METHODS,
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=EXPOSED,
        )
    ]
