"""Apply the headers of trusted proxies, and the path prefix below which a proxy serves the API.

The prefix is ROOT_PATH, or X-Forwarded-Prefix from a trusted proxy. It becomes the `root_path` of the request, so that
`Location`, `urls` and the pages lead back through the proxy. The proxy may send paths with or without the prefix.
"""

from contextvars import ContextVar

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.errors import InvalidForwardedPrefix
from api.problems import problem
from settings import PATH_PREFIX, ApiSettings

#: Prefix of the current request. A context variable, since jobs are serialized in threads that have no request.
path_prefix: ContextVar[str] = ContextVar("path_prefix", default="")


class Proxies:
    """ASGI middleware that sets the client, scheme and path prefix of each request."""

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._forwarded = ProxyHeadersMiddleware(app, trusted_hosts=settings.forwarded_allow_ips)  # type: ignore[arg-type]  # ASGI as uvicorn types it
        self._root_path = settings.root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; pass on any other event."""
        if scope["type"] != "http":
            return await self._forwarded(scope, receive, send)  # type: ignore[arg-type]
        try:
            prefix = self._prefix(scope)
        except InvalidForwardedPrefix as error:
            return await problem(Request(scope), error)(scope, receive, send)
        if prefix and scope["path"] == prefix and scope["method"] in {"GET", "HEAD"}:
            return await RedirectResponse(f"{prefix}/", 308)(scope, receive, send)
        _set_prefix(scope, prefix)
        before = path_prefix.set(prefix)
        try:
            await self._forwarded(scope, receive, send)  # type: ignore[arg-type]
        finally:
            path_prefix.reset(before)

    def _prefix(self, scope: Scope) -> str:
        """Return the path prefix of a request. Several proxies send one part each, the outermost first.

        Raises:
            InvalidForwardedPrefix: X-Forwarded-Prefix of a trusted proxy is no path.
        """
        client = scope.get("client")
        sent = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-prefix"]
        if not sent or not client or client[0] not in self._forwarded.trusted_hosts:
            return self._root_path
        prefix = "".join(part.strip().rstrip("/") for part in ",".join(sent).split(","))
        if not PATH_PREFIX.fullmatch(prefix):
            raise InvalidForwardedPrefix
        return prefix


def _set_prefix(scope: Scope, prefix: str) -> None:
    """Set `root_path`, and complete the path where the proxy has removed the prefix."""
    scope["root_path"] = prefix
    if not scope["path"].startswith(f"{prefix}/"):
        scope["path"] = prefix + scope["path"]
        scope["raw_path"] = prefix.encode() + scope.get("raw_path", b"")
