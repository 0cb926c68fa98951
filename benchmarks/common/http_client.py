"""A small asyncio client of Verdict's HTTP API.

A single review costs it about 0.5 ms of CPU, so that it can share two cores with the service that it measures.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

ANSWER_SECONDS = 60.0
MAX_LINE_BYTES = 1 << 20
WAIT_SECONDS = 25  # below the service's longest wait; a longer wait takes several requests
FINAL = frozenset({"succeeded", "failed", "cancelled", "expired"})
RESULTS_PAGE = 500

Item = TypeVar("Item")
Out = TypeVar("Out")


class NoAnswer(Exception):
    """The connection failed; whether the request was served is unknown."""


class RequestRefused(Exception):
    """The service answered with an error."""

    def __init__(self, answer: "HttpAnswer") -> None:
        super().__init__(f"{answer.status} {answer.body[:300].decode(errors='replace')}")
        self.status = answer.status


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body of a 2xx answer.

        Raises:
            RequestRefused: the answer has another status.
        """
        if not 200 <= self.status < 300:
            raise RequestRefused(self)
        return json.loads(self.body)


class Connection:
    """One keep-alive connection for one task; opened by the first request, and again after an error."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or (443 if secure else 80)
        self._ssl = ssl.create_default_context() if secure else None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Send one request, its `body` as JSON, and read the whole answer.

        Raises:
            NoAnswer: no answer came within a minute.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = self._streams = self._streams or await self._open()
                writer.write(self._encoded(method, path, body, headers or {}))
                return await _read_answer(reader)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            await self.close()
            raise NoAnswer(f"{method} {path}: {error!r}") from error

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, ssl=self._ssl, limit=MAX_LINE_BYTES)

    def _encoded(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        return "\r\n".join([*lines, "", ""]).encode() + content

    async def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._streams:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> HttpAnswer:
    status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines if line)
    headers = {name.lower(): value.strip() for name, value in pairs}
    if "transfer-encoding" in headers:
        raise ValueError("a chunked answer, which this client does not read")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return HttpAnswer(int(status_line.split(" ", 2)[1]), headers, body)


async def for_each(
    url: str, items: Iterable[Item], concurrency: int, act: Callable[[Connection, Item], Awaitable[Out]]
) -> list[Out]:
    """Call `act` for every item, `concurrency` at a time, each on its own connection; return the results, unordered."""
    waiting = iter(items)

    async def work() -> list[Out]:
        connection = Connection(url)
        try:
            return [await act(connection, item) for item in waiting]
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work()) for _ in range(concurrency)]
    return [out for task in tasks for out in task.result()]


def job_body(texts: Sequence[str]) -> dict[str, object]:
    """Return the body that submits these reviews as one job."""
    return {"reviews": [{"text": text} for text in texts]}


async def classify(connection: Connection, text: str) -> HttpAnswer:
    """Classify one review by `POST /v1/classify`."""
    return await connection.request("POST", "/v1/classify", {"review_text": text})


async def timed_review(connection: Connection, text: str, **options: object) -> tuple[float, dict[str, Any]]:
    """Submit a single review and wait for its result; return the milliseconds and the ended job.

    Raises:
        RuntimeError: the review did not succeed.
    """
    headers, started = {"Prefer": f"wait={WAIT_SECONDS}"}, time.perf_counter()
    answer = await connection.request("POST", "/v1/jobs", job_body([text]) | options, headers)
    milliseconds = (time.perf_counter() - started) * 1000
    job = answer.json()
    if job["status"] != "succeeded":
        raise RuntimeError(f"a review was answered {json.dumps(job)[:500]}")
    return milliseconds, job


async def wait_for_end(connection: Connection, job: dict[str, Any]) -> dict[str, Any]:
    """Return the job once it has ended, however long that takes."""
    while job["status"] not in FINAL:
        job = (await connection.request("GET", f"{job['urls']['self']}?wait={WAIT_SECONDS}")).json()
    return job


async def results(connection: Connection, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every result of a job: those in the job, or else page by page."""
    if job["results"] is not None:
        return list(job["results"])
    found: list[dict[str, Any]] = []
    after: str | None = "-1"
    while after is not None:
        page = await connection.request("GET", f"{job['urls']['results']}?limit={RESULTS_PAGE}&after={after}")
        found += page.json()["data"]
        after = page.json()["next"]
    return found
