"""Around every request: its id, its log line and its metrics."""

import re
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitoring.metrics import HTTP_REQUESTS, HTTP_SECONDS

REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
QUIET = {"/livez", "/readyz", "/metrics"}  # asked every few seconds by machines

log = structlog.get_logger()


class RequestContext:
    """ASGI middleware; outermost, so that it sees every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass on what is none."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = scope["request_id"] = _request_id(scope)
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                _record(scope, status, time.perf_counter() - started)


def _request_id(scope: Scope) -> str:
    sent = dict(scope["headers"]).get(b"x-request-id", b"")
    return sent.decode() if REQUEST_ID.fullmatch(sent) else str(uuid.uuid4())


def _record(scope: Scope, status: int, seconds: float) -> None:
    # The template, not the path: a path holds ids, and a label must not grow with the jobs.
    route = getattr(scope.get("route"), "path", "unknown")
    HTTP_REQUESTS.labels(scope["method"] if route != "unknown" else "OTHER", route, status).inc()
    HTTP_SECONDS.labels(route).observe(seconds)
    if route not in QUIET:
        log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))
