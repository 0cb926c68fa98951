"""One visit of a well-behaved client: obey refusals, follow the job, check the answer. Independent of Locust."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from benchmarks.common.http_client import FINAL
from benchmarks.users.user_model import Visit, VisitKind, VisitOutcome

SINGLE_WAIT_SECONDS = 25
POLL_SECONDS = 10
JOBS, CLASSIFY, JOB, RESULTS = "/v1/jobs", "/v1/classify", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/results"
JSON = {"Content-Type": "application/json"}


class Reply(NamedTuple):
    """An HTTP response; status 0 if there was none. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class CallerConnection(Protocol):
    """The connection and the clock of a caller."""

    def send(self, method: str, path: str, route: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request and count it under `route`, its path without ids."""
        ...

    def pause(self, seconds: float) -> bool:
        """Wait; return False if the run has ended meanwhile."""
        ...

    def now(self) -> float:
        """Return the seconds since the run began."""
        ...


class Broken(Exception):
    """The service gave a wrong answer or none."""


def visit(kind: VisitKind, texts: Sequence[str], line: CallerConnection, *, patient: bool = True) -> Visit:
    """Submit these reviews and get their results; without `patient`, give up at the first refusal."""
    seen = Visit(kind, len(texts), line.now())
    try:
        if reply := _admitted(seen, texts, line, patient=patient):
            _follow(seen, reply, line)
            seen.outcome = VisitOutcome.ANSWERED
    except Broken as error:
        seen.outcome, seen.why = VisitOutcome.FAILED, str(error)
    except (ValueError, KeyError, TypeError) as error:
        seen.outcome, seen.why = VisitOutcome.FAILED, f"not the answer of this API: {error!r}"
    return seen


def _admitted(seen: Visit, texts: Sequence[str], line: CallerConnection, *, patient: bool) -> Reply | None:
    """Submit until it is not refused, and return that answer; None if the caller gave up."""
    path, body, headers = _submission(seen.kind, texts)
    while True:
        seen.sent = line.now()
        reply = line.send("POST", path, path, body, headers)
        if reply.status != 429:
            return reply
        seconds = _retry_after(reply)
        seen.last_refused = line.now()
        if not seen.refusals:
            seen.first_refused, seen.told = seen.last_refused, seconds
        seen.refusals += 1
        if not patient or not line.pause(seconds):
            return None


def _retry_after(reply: Reply) -> float:
    seconds = reply.headers.get("retry-after", "")
    if not seconds.isdecimal() or seconds == "0":
        raise Broken(f"429 with Retry-After {seconds!r}")
    return float(seconds)


def _submission(kind: VisitKind, texts: Sequence[str]) -> tuple[str, bytes, dict[str, str]]:
    match kind:
        case VisitKind.CLASSIFY:
            return CLASSIFY, json.dumps({"review_text": texts[0]}).encode(), JSON
        case VisitKind.FILE:
            return JOBS, _table(texts), {"Content-Type": "text/csv"}
        case _:
            prefer = {"Prefer": f"wait={SINGLE_WAIT_SECONDS}"} if kind == VisitKind.WAIT else {}
            return JOBS, json.dumps({"reviews": [{"text": text} for text in texts]}).encode(), JSON | prefer


def _table(texts: Sequence[str]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(("review",))
    writer.writerows((text,) for text in texts)
    return file.getvalue().encode()


def _follow(seen: Visit, reply: Reply, line: CallerConnection) -> None:
    """Wait for the results of a submission and check them."""
    seen.accepted = "location" in reply.headers
    if seen.kind == VisitKind.CLASSIFY:
        seen.lane = "interactive"
        answer = _json(reply)
        seen.seconds = line.now() - seen.sent
        if not isinstance(answer["sentiment"], str):
            raise Broken(f"the sentiment is {answer['sentiment']!r}")
        seen.accepted, seen.succeeded = True, 1
        return
    job = _json(reply)
    seen.lane = job["lane"]
    while job["status"] not in FINAL:
        path = f"{job['urls']['self']}?wait={POLL_SECONDS}"
        job = _json(line.send("GET", path, JOB, b"", {}))
    seen.seconds = line.now() - seen.sent
    _check(seen, job)
    if seen.kind == VisitKind.FILE:
        _check_table(line.send("GET", f"{job['urls']['results']}?format=csv", RESULTS, b"", {}), seen.rows)


def _json(reply: Reply) -> Any:
    if not 200 <= reply.status < 300:
        raise Broken(f"{reply.status or 'no answer'} {reply.body[:200].decode(errors='replace')}".strip())
    return json.loads(reply.body)


def _check(seen: Visit, job: Mapping[str, Any]) -> None:
    """Check that each submitted row has one result."""
    seen.succeeded, seen.failed = job["counts"]["succeeded"], job["counts"]["failed"]
    if seen.succeeded != seen.rows:
        raise Broken(f"{seen.rows} rows ended as {json.dumps(job['counts'])}")
    results = job["results"]
    if len(results) != seen.rows or not all(isinstance(each["sentiment"], str) for each in results):
        raise Broken(f"{len(results)} results of {seen.rows} rows, or one without a sentiment")


def _check_table(reply: Reply, rows: int) -> None:
    if reply.status != 200:
        raise Broken(f"the results as CSV: {reply.status or 'no answer'}")
    found = sum(1 for _ in csv.reader(io.StringIO(reply.body.decode(), newline=""))) - 1
    if found != rows:
        raise Broken(f"the results as CSV hold {found} of {rows} rows")
