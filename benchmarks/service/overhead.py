"""The CPU time of metrics, log line and request log per request: `python -m benchmarks.service.overhead`.

Measures the middleware around an application that does nothing, against that application alone; the counting, timing
and logging of a review in a worker; a row of the request log. Compare with `CPU milliseconds per review` of
`make bench`.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from starlette.types import Message, Receive, Scope, Send

from api.http.middleware import RequestMiddleware
from api.http.request_log import RequestLog
from benchmarks.common.stack import running_stack
from db import request_log
from db.claims import Stored
from db.engine import connect, transaction
from db.models import Lane
from db.request_log import LoggedRequest
from monitoring.logs import configure_logs
from monitoring.metrics import STEP_TIME
from settings import DatabaseSettings
from worker import store

REQUESTS = 20_000
ROWS = 1_000
HEADERS = [(b"content-length", b"1300"), (b"content-type", b"application/json")]


def main() -> None:
    """Measure and print the microseconds of CPU per request or review."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  log lines are formatted and written, then dropped
    configure_logs("overhead")
    with running_stack() as stack:
        engine = connect(DatabaseSettings(database_url=stack.database_url), "overhead")
        kept = RequestLog(1.0)
        bare, around = asyncio.run(_requests(_nothing)), asyncio.run(_requests(RequestMiddleware(_nothing, kept)))
        rows = [_row() for _ in range(ROWS)]
        with transaction(engine) as connection:
            request_log.create_partitions(connection, 1)
            copied = _cpu(lambda: request_log.add(connection, rows), 1) / ROWS
        engine.dispose()
    stored = Stored(uuid4(), 1, None, "ngram", 0.01, 0.02, ended_job=True)
    figures = [
        ("API: metrics, log line and row of a request", around - bare),
        ("API: that row copied into PostgreSQL, in batches", copied),
        ("worker: a review counted", _cpu(lambda: store.count(Lane.INTERACTIVE, "default", [stored]), REQUESTS)),
        ("worker: a step timed", _cpu(lambda: STEP_TIME.labels("store").observe(0.01), REQUESTS)),
        ("worker: the line of a batch", _cpu(_line, REQUESTS)),
    ]
    for what, figure in figures:
        print(f"{figure:8.1f} µs  {what}")


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  the signature of ASGI
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def _requests(app: Callable[[Scope, Receive, Send], object]) -> float:
    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(_: Message) -> None:
        pass

    began = time.process_time()
    for _ in range(REQUESTS):
        scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": HEADERS, "state": {}}
        await app(scope, receive, send)  # type: ignore[misc]  # an ASGI application
    return (time.process_time() - began) / REQUESTS * 1e6


def _row() -> LoggedRequest:
    return LoggedRequest(datetime.now(UTC), str(uuid4()), None, "POST", "/v1/jobs", 200, 20.0, 1300, 900, uuid4())


def _line() -> None:
    jobs = [str(uuid4())]
    structlog.get_logger().info("results_stored", lane="interactive", reviews=1, jobs=jobs, ended=1)


def _cpu(act: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - began) / times * 1e6


if __name__ == "__main__":
    main()
