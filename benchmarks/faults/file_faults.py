"""Faults while a file is processed: it is stored whole or not at all, and its results come back to the last byte.

The rows are short reviews with a wide column beside them, so that the file is large and quickly classified.
"""

import csv
import io
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from signal import Signals

import httpx

from benchmarks.common.processes import Part
from benchmarks.common.review_texts import short_reviews
from benchmarks.common.stack import Stack
from benchmarks.common.waiting import wait_until
from benchmarks.faults.outcomes import FaultOutcome
from benchmarks.faults.process_faults import FINISH_SECONDS, SUCCEEDED
from verdict import Client

WIDE = 20_000  # characters
PIECE_BYTES = 1 << 16


def table(rows: int) -> bytes:
    """Return a CSV file with rows of about 20 KB each."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["id", "review", "wide"])
    for number, text in enumerate(short_reviews(rows)):
        writer.writerow([number, text, f"{number} " * (WIDE // (len(str(number)) + 1))])
    return out.getvalue().encode()


async def api_killed_during_an_upload(stack: Stack, rows: int) -> FaultOutcome:
    """Kill the API when half of a file was sent: nothing of it is left, and the file can be sent again."""
    outcome, content = FaultOutcome("API killed during an upload"), table(rows)
    before = stack.count(STORED)

    def half() -> Iterator[bytes]:
        middle = len(content) // 2
        yield from _pieces(content[:middle])
        wait_until(lambda: stack.count(COPYING) == 1, "the file is being copied in")
        stack.signal(Part.API, Signals.SIGKILL)
        yield from _pieces(content[middle:])

    try:
        answer = httpx.post(  # noqa: ASYNC210  nothing else runs in this event loop
            f"{stack.url}/v1/jobs", content=half(), headers={"content-type": "text/csv"}, timeout=60
        )
        outcome.wrong.append(f"an answer came: {answer.status_code}")
    except httpx.TransportError as error:
        outcome.figures["the client saw"] = type(error).__name__
    wait_until(lambda: stack.count(COPYING) == 0, "the transaction is gone")
    outcome.figures["rows left"] = left = stack.count(STORED) - before
    outcome.expect(left == 0, "rows of the file were left")
    wait_until(stack.is_ready, "the API is back", FINISH_SECONDS)
    return outcome


async def worker_killed_during_a_file(stack: Stack, rows: int) -> FaultOutcome:
    """Kill the worker while a file is classified, and the API while its results are downloaded."""
    outcome = FaultOutcome("worker killed during a file, API killed during its download")
    content, before = table(rows), stack.count(SUCCEEDED)
    with Client(stack.url) as client, tempfile.TemporaryDirectory(prefix="verdict-") as folder:
        job = client.submit_file(io.BytesIO(content), format="csv")
        wait_until(lambda: stack.count(SUCCEEDED) - before > rows // 4, "a quarter is classified", FINISH_SECONDS)
        stack.signal(Part.WORKER, Signals.SIGKILL, group=True)
        job = client.wait(job)
        outcome.figures |= {"rows": rows, "classified": job.counts.succeeded}
        outcome.expect(job.counts.succeeded == rows, f"the job ended as {job.status} {job.counts}")
        whole, cut = Path(folder) / "whole.csv", Path(folder) / "cut.csv"
        client.download(job, whole)
        with _killing_the_api(stack, lambda: _size(cut.with_name("cut.csv.part")) > whole.stat().st_size // 4):
            client.download(job, cut)
        outcome.figures["bytes"] = whole.stat().st_size
        outcome.expect(cut.read_bytes() == whole.read_bytes(), "the resumed file differs")
        outcome.expect(_own_cells(whole.read_bytes()) == _own_cells(content), "the caller's columns changed")
    return outcome


STORED = "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM job_rows) + (SELECT count(*) FROM reviews)"
COPYING = (
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
    " AND query LIKE '%COPY job_rows%FROM STDIN%'"
)


@contextmanager
def _killing_the_api(stack: Stack, when: Callable[[], bool]) -> Iterator[None]:
    """Kill the API while the block runs, once and as soon as the condition is true."""

    def kill() -> None:
        wait_until(when, "it is time to kill the API", FINISH_SECONDS)
        stack.signal(Part.API, Signals.SIGKILL)

    with ThreadPoolExecutor(1) as thread:
        killed = thread.submit(kill)
        yield
        killed.result()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _pieces(content: bytes) -> Iterator[bytes]:
    yield from (content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES))


def _own_cells(content: bytes) -> list[list[str]]:
    return [record[:3] for record in csv.reader(io.StringIO(content.decode(), newline=""))]
