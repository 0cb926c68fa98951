"""A small client of Verdict's HTTP API, for the commands that talk to a running service."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypedDict, cast

import httpx

from cli.output import CommandError

WAIT_SECONDS = 30  # a longer wait is several requests, so that a lost connection shows
ANSWER_SECONDS = 10
ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})


class Trouble(TypedDict):
    """Why a review has no result."""

    code: str
    detail: str


class Model(TypedDict):
    """Which model gave a result."""

    name: str
    version: str


class Result(TypedDict):
    """One review's result, as the API gives it; the fields that the commands show."""

    index: int
    status: str
    sentiment: str | None
    confidence: float | None
    model: Model | None
    truncated: bool | None
    timings_ms: dict[str, float | None]
    error: Trouble | None


class Job(TypedDict):
    """A job, as the API gives it; the fields that the commands show."""

    id: str
    status: str
    counts: dict[str, int]
    results: list[Result] | None


class Client:
    """Talks to one service. Every error is a CommandError whose message stands for itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._http = httpx.Client(base_url=url, timeout=ANSWER_SECONDS)
        except httpx.InvalidURL as exc:
            raise CommandError(f"{url!r} is no address of a service: {exc}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, texts: Sequence[str], *, wait_seconds: int = WAIT_SECONDS) -> Job:
        """Submit the texts as one job and wait that long for its end; the job may come back unfinished."""
        body = {"reviews": [{"text": text} for text in texts]}
        return cast("Job", self._request("POST", "/v1/jobs", wait_seconds, body=body))

    def job(self, job_id: str, *, wait_seconds: int = 0) -> Job:
        """Return the job, after waiting that long for its end."""
        params = {"wait": str(wait_seconds)} if wait_seconds else {}
        return cast("Job", self._request("GET", f"/v1/jobs/{job_id}", wait_seconds, params=params))

    def ended(self, job: Job) -> Job:
        """Wait, however long it takes, until `job` has ended."""
        while job["status"] not in ENDED:
            job = self.job(job["id"], wait_seconds=WAIT_SECONDS)
        return job

    def results(self, job: Job) -> Iterator[Result]:
        """Yield the job's results in the order of its reviews: those it carries, or page by page."""
        inline = job["results"]
        if inline is not None:
            yield from inline
            return
        after: str | int | None = ""
        while after is not None:
            params = {"after": str(after)} if after != "" else {}
            page = self._request("GET", f"/v1/jobs/{job['id']}/results", params=params)
            yield from cast("list[Result]", page["data"])
            after = page["next"]

    def _request(
        self,
        method: str,
        path: str,
        wait_seconds: int = 0,
        *,
        params: dict[str, str] | None = None,
        body: object = None,
    ) -> dict[str, Any]:
        headers = {"Prefer": f"wait={wait_seconds}"} if body is not None else {}
        try:
            answer = self._http.request(
                method, path, headers=headers, params=params, json=body, timeout=wait_seconds + ANSWER_SECONDS
            )
        except httpx.ConnectError as exc:
            raise CommandError(f"nothing answers at {self._url}; start it with `verdict run`, or give --url") from exc
        except httpx.UnsupportedProtocol as exc:
            raise CommandError(f"{self._url!r} is no address; one looks like http://127.0.0.1:8000") from exc
        except httpx.TransportError as exc:
            raise CommandError(f"{self._url} broke off: {str(exc) or type(exc).__name__}") from exc
        return _decode(answer)


def _decode(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.is_success and isinstance(body, dict):
        return body
    if not isinstance(body, dict) or "title" not in body:
        raise CommandError(f"{answer.url} answered {answer.status_code}, and not as Verdict does: is it the right one?")
    raise CommandError(_describe(body))


def _describe(problem: dict[str, Any]) -> str:
    """Put a problem (RFC 9457) into one line."""
    parts = [str(problem["title"])]
    if problem.get("detail"):
        parts.append(str(problem["detail"]))
    parts += [f"{error.get('pointer', '')} {error.get('detail', '')}".strip() for error in problem.get("errors") or ()]
    return ": ".join(parts[:2]) + "".join(f"; {part}" for part in parts[2:])
