"""Add request ids to log lines and answers, and record the metrics and the request log of every request."""

import re
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.request_log import RequestLog
from db.request_log import LoggedRequest
from monitoring import traces
from monitoring.logs import ids
from monitoring.metrics import HTTP_OPEN, HTTP_REQUESTS, HTTP_SECONDS

REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
UNLOGGED_ROUTES = {"/livez", "/readyz", "/metrics"}  # probes and scrapes, every few seconds
UNKNOWN = "unknown"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
MOST_BYTES = 2**63 - 1  # the largest value of a bigint column

log = structlog.get_logger()


class RequestMiddleware:
    """ASGI middleware around all others, so that it sees every answer."""

    def __init__(self, app: ASGIApp, request_log: RequestLog) -> None:
        self._app = app
        self._request_log = request_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; pass on any other event."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        exchange = Exchange(scope, receive, send)
        before = ids.set(exchange.ids)
        HTTP_OPEN.inc()
        with traces.request(exchange.headers) as span:
            try:
                await self._app(scope, receive if exchange.announced else exchange.receive, exchange.send)
            finally:
                HTTP_OPEN.dec()
                self._record(exchange, span)
                ids.reset(before)

    def _record(self, exchange: "Exchange", span: Any) -> None:
        seconds = time.perf_counter() - exchange.started
        request = exchange.logged(seconds)
        answered, took = _children(request.method, request.route, request.status)
        answered.inc()
        took.observe(seconds)
        traces.end_request(span, request.method, request.route, request.status)
        if request.route not in UNLOGGED_ROUTES:
            self._request_log.add(request)
            ms = round(request.duration_ms, 1)
            log.info("request", method=request.method, route=request.route, status=request.status, ms=ms)


class Exchange:
    """One request and its answer as they pass. `scope["request_id"]` is the caller's id if valid, else a new UUID."""

    __slots__ = (
        "_job_id",
        "_receive",
        "_scope",
        "_send",
        "announced",
        "headers",
        "received",
        "sent",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = time.perf_counter()
        headers = self.headers = dict(scope["headers"])
        sent_id = headers.get(b"x-request-id", b"")
        scope["request_id"] = sent_id.decode() if REQUEST_ID.fullmatch(sent_id) else str(uuid.uuid4())
        length = headers.get(b"content-length", b"")
        self.announced = length.isdigit()
        self._scope, self._receive, self._send = scope, receive, send
        self.status, self.sent = 500, 0  # for a request that fails before its answer starts
        self._job_id: UUID | None = None
        self.received = min(int(length), MOST_BYTES) if self.announced else 0

    async def receive(self) -> Message:
        """Count the bytes of a body without a Content-Length."""
        message = await self._receive()
        self.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Count the bytes of the answer, and add `X-Request-ID` to its headers."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])  # an HTTPStatus would be logged as its name
            message["headers"] = [*message["headers"], (b"x-request-id", self._scope["request_id"].encode())]
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)

    def ids(self) -> dict[str, str]:
        """Return the ids for a log line: the request's, and the job's once it is known."""
        known = {"request_id": self._scope["request_id"]}
        job_id = self._job()
        return known | {"job_id": str(job_id)} if job_id else known

    def _job(self) -> UUID | None:
        """Return the job that the request made (`request.state.job_id`), or else the job in its path."""
        scope = self._scope
        if self._job_id is None:
            named = scope.get("state", {}).get("job_id") or scope.get("path_params", {}).get("job_id")
            with suppress(ValueError):  # the id in a path may be malformed
                self._job_id = named if isinstance(named, UUID) or not named else UUID(named)
        return self._job_id

    def logged(self, seconds: float) -> LoggedRequest:
        """Return the row for the request log. Its route is the template, since a path holds ids."""
        scope = self._scope
        route = getattr(scope.get("route"), "path", UNKNOWN)
        return LoggedRequest(
            at=datetime.now(UTC),
            request_id=scope["request_id"],
            key=None,
            method=scope["method"] if route != UNKNOWN and scope["method"] in METHODS else "OTHER",
            route=route,
            status=self.status,
            duration_ms=seconds * 1000,
            request_bytes=self.received,
            response_bytes=self.sent,
            job_id=self._job(),
        )


@lru_cache(maxsize=4096)  # `labels` takes 3 µs
def _children(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return HTTP_REQUESTS.labels(method, route, status), HTTP_SECONDS.labels(route)
