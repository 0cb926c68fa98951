"""Interrupted downloads: they resume to the same bytes, are never ended short, and hold no connection."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from structlog.testing import capture_logs

from api import formats
from api.formats import Piece, WantedResults
from api.http.ranges import MOST_INDEXES, DownloadIndexes
from api.routes.results import STREAMED, Format
from db import exports
from db.engine import Engine, connect
from settings import DatabaseSettings
from tests.api.steps import STREAMS, get, post
from tests.conftest import wait_until
from tests.db import steps
from tests.fakes import POISON


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages, so that a range can begin and end within any page."""
    monkeypatch.setattr(exports, "PAGE_ROWS", 3)
    monkeypatch.setattr(formats, "NDJSON_ROWS", 3)


@pytest.mark.usefixtures("worker", "small_pages")
@pytest.mark.parametrize("form", STREAMS)
def test_a_download_resumes_to_the_same_bytes(client: httpx.Client, form: str) -> None:
    job = post(client, *(f"film {number}" for number in range(10)))
    answer = get(client, job, form)
    whole, etag = answer.content, answer.headers["etag"]
    assert answer.headers["accept-ranges"] == "bytes"
    for start in [0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1]:
        part = get(client, job, form, sending={"range": f"bytes={start}-", "if-range": etag})
        assert (part.status_code, part.headers["etag"]) == (206, etag)
        assert part.headers["content-range"] == f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        assert part.headers["content-length"] == str(len(whole) - start)
        assert whole[:start] + part.content == whole


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=2-5", 206, slice(2, 6)),
        ("BYTES=2-2", 206, slice(2, 3)),
        ("bytes=5-99999999", 206, slice(5, None)),
        ("bytes=-4", 206, slice(-4, None)),
        ("bytes=-99999999", 206, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("bytes=5-2", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
        ("bytes=a-", 200, slice(None)),
        ("bytes=" + "9" * 5000 + "-", 200, slice(None)),
        ("rows=1-2", 200, slice(None)),
    ],
)
def test_a_range_means_what_the_standard_says(client: httpx.Client, asked: str, status: int, part: slice) -> None:
    job = post(client, "a film", "a fine film")
    whole = get(client, job, "csv").content
    answer = get(client, job, "csv", sending={"range": asked})
    assert (answer.status_code, answer.content) == (status, whole[part])


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of each piece of CSV that the API writes."""
    lengths: list[int] = []

    def counting(engine: Engine, wanted: WantedResults) -> Iterator[Piece]:
        for piece in formats.csv(engine, wanted):
            lengths.append(len(piece.content))
            yield piece

    monkeypatch.setitem(STREAMED, Format.CSV, ("text/csv", counting))
    return lengths


def many(client: httpx.Client) -> tuple[dict[str, Any], bytes]:
    """A finished job with 11 pieces of CSV, and its download in another variant, which fills another index."""
    job = post(client, *(f"film {number}" for number in range(30)))
    return job, get(client, job, "csv", formulas="keep").content


@pytest.mark.usefixtures("worker", "small_pages")
def test_after_a_full_download_a_range_writes_only_its_pages(client: httpx.Client, written: list[int]) -> None:
    job, whole = many(client)
    assert get(client, job, "csv").content == whole
    for part in (slice(0, 1), slice(700, 710), slice(len(whole) - 5, len(whole))):
        written.clear()
        answer = get(client, job, "csv", sending={"range": f"bytes={part.start}-{part.stop - 1}"})
        assert (answer.status_code, answer.content) == (206, whole[part])
        assert answer.headers["content-range"].endswith(f"/{len(whole)}")
        assert len(written) <= 3  # one more is made while the last is sent
    written.clear()
    assert get(client, job, "csv", sending={"range": "bytes=0-"}).status_code == 206
    assert sum(written) == len(whole)


@pytest.mark.usefixtures("worker", "small_pages")
def test_a_range_of_all_bytes_of_unknown_number_is_answered_by_all(client: httpx.Client, written: list[int]) -> None:
    job, whole = many(client)
    written.clear()
    answer = get(client, job, "csv", sending={"range": "bytes=0-"})
    assert (answer.status_code, answer.content, sum(written)) == (200, whole, len(whole))
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.usefixtures("worker", "small_pages")
def test_a_range_near_the_beginning_does_not_need_the_size(client: httpx.Client, written: list[int]) -> None:
    job, whole = many(client)
    written.clear()
    answer = get(client, job, "csv", sending={"range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, whole[10:20])
    assert answer.headers["content-range"] == "bytes 10-19/*"
    assert sum(written) < len(whole) / 2


@pytest.mark.usefixtures("worker", "small_pages")
def test_segments_at_once_index_a_download_once(client: httpx.Client, written: list[int]) -> None:
    job, whole = many(client)
    written.clear()
    starts = range(0, len(whole), len(whole) // 8)

    def fetch(start: int) -> bytes:
        last = f"-{start + len(whole) // 8 - 1}" if start != starts[-1] else "-"
        content: bytes = get(client, job, "csv", sending={"range": f"bytes={start}{last}"}).content
        return content

    with ThreadPoolExecutor(8) as threads:
        assert b"".join(threads.map(fetch, starts)) == whole
    # Once for the index, once for the segments, and up to two pieces at both ends of each.
    assert sum(written) < 2 * len(whole) + 4 * len(starts) * max(written)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("asked", ["bytes=1000000-", "bytes=1000000-1000001", "bytes=-0"])
def test_a_range_after_the_end_is_refused_with_the_size(client: httpx.Client, asked: str) -> None:
    job = post(client, "a film")
    size = len(get(client, job, "csv").content)
    answer = get(client, job, "csv", sending={"range": asked})
    assert (answer.status_code, answer.json()["type"]) == (416, "urn:verdict:range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.usefixtures("worker")
def test_a_range_of_other_bytes_gets_the_whole_download(client: httpx.Client) -> None:
    job = post(client, POISON, "a film")
    etags = [get(client, job, "csv", formulas=each).headers["etag"] for each in ("escape", "keep")]
    others = [get(client, job, "csv", status="failed"), get(client, job, "csv", after="0"), get(client, job, "ndjson")]
    etags += [other.headers["etag"] for other in others]
    client.post(job["urls"]["retry"])
    client.get(job["urls"]["self"], params={"wait": 20})
    now = get(client, job, "csv").headers["etag"]
    assert len({*etags, now}) == 6
    whole = get(client, job, "csv").content
    for other in [*etags, f"W/{now}", "Sat, 21 Nov 2026 00:00:00 GMT"]:
        answer = get(client, job, "csv", sending={"range": "bytes=5-", "if-range": other})
        assert (answer.status_code, answer.content) == (200, whole)


@pytest.mark.usefixtures("worker")
def test_a_client_with_the_current_etag_gets_304(client: httpx.Client) -> None:
    job = post(client, "a film")
    etag = get(client, job, "csv").headers["etag"]
    answer = get(client, job, "csv", sending={"if-none-match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.fixture
def large(database: DatabaseSettings) -> dict[str, Any]:
    """A job with 40 MB of results, more than any buffer on the way holds."""
    engine = connect(database.model_copy(update={"database_timeout_seconds": 60}), "test")  # a slow machine needs 10 s
    job_id = steps.submit(engine, texts=[f"{number:06}" * 3_000 for number in range(2_300)])
    engine.dispose()
    return {"id": str(job_id), "urls": {"results": f"/v1/jobs/{job_id}/results"}}


def in_use(database: DatabaseSettings) -> int:
    """Count the connections of the API that are not idle."""
    with psycopg.connect(database.database_url) as connection:
        [row] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'verdict-api' AND datname = current_database() AND state <> 'idle'"
        )
        return int(row[0])


def begin(client: httpx.Client, job: dict[str, Any]) -> httpx.Response:
    """Read the headers of a CSV download; its body stays in the buffers."""
    request = client.build_request("GET", job["urls"]["results"], params={"format": "csv"})
    return client.send(request, stream=True)


def test_no_connection_is_held_for_a_slow_client_or_a_closed_download(
    client: httpx.Client, large: dict[str, Any], database: DatabaseSettings
) -> None:
    answer = begin(client, large)
    wait_until(lambda: not in_use(database))
    answer.close()
    wait_until(lambda: not in_use(database))
    assert client.get("/readyz").json()["checks"]["store"]


def delete_the_job(database: DatabaseSettings) -> None:
    with psycopg.connect(database.database_url) as connection:
        connection.execute("DELETE FROM jobs")


def close_the_database(database: DatabaseSettings) -> None:
    elsewhere, _, name = database.database_url.rpartition("/")
    with psycopg.connect(f"{elsewhere}/postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


@pytest.mark.parametrize("harm", [delete_the_job, close_the_database])
def test_a_stream_that_fails_is_cut_off_and_not_ended(
    client: httpx.Client,
    large: dict[str, Any],
    database: DatabaseSettings,
    harm: Callable[[DatabaseSettings], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with capture_logs():  # a traceback on the console takes longer than the client waits
        answer = begin(client, large)
        wait_until(lambda: not in_use(database))
        harm(database)
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
        wait_until(lambda: [record for record in caplog.records if record.levelno >= logging.ERROR])
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


def test_only_the_indexes_used_last_are_kept() -> None:
    indexes = DownloadIndexes()
    first = indexes.of("first")
    for number in range(MOST_INDEXES - 1):
        indexes.of(f"{number}")
    assert indexes.of("first") is first
    indexes.of("one more")
    assert indexes.of("first") is first
    assert len(indexes._indexes) == MOST_INDEXES
