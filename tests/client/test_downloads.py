"""Downloads over broken connections: complete in the end, or resumed later."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from random import Random

import pytest

from tests.client.conftest import Ask
from tests.client.wire import Asked, answer, cut_short, scripted, serving
from verdict import DownloadChanged, NotVerdict, Refused, ServiceUnreachable

CONTENT = Random(0).randbytes(300_000)
ETAG = '"of-this-job"'


def ranged(content: bytes = CONTENT, *, etag: str = ETAG, cut: int | None = None) -> Callable[[Asked], bytes]:
    """Return a reply that serves byte ranges (RFC 9110) and stops after `cut` bytes of a body."""

    def reply(asked: Asked) -> bytes:
        start, status, headers = 0, 200, {"etag": etag} if etag else {}
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if wanted and asked.headers.get("if-range") == etag:
            start, status = int(wanted[1]), 206
            if start >= len(content):
                return answer(416, b"", content_range=f"bytes */{len(content)}")
            headers["content_range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        whole = answer(status, content[start:], **headers)
        return whole if cut is None else whole[: whole.index(b"\r\n\r\n") + 4 + cut]

    return reply


@contextmanager
def cutting(cut: int, etag: str = ETAG) -> Iterator[tuple[str, list[Asked]]]:
    with serving(ranged(cut=cut, etag=etag)) as served:
        yield served


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.csv"


def left(file: Path) -> set[str]:
    return {each.name for each in file.parent.iterdir()}


def give_up_after(ask: Ask, file: Path, cut: int, etag: str = ETAG) -> None:
    """Leave a partial download behind, as a process at the end of its retries does."""
    with cutting(cut, etag) as (url, _), pytest.raises(ServiceUnreachable):
        ask(url, "download", "0199", file, retry_seconds=0)


def test_a_download_is_byte_identical_over_broken_connections(ask: Ask, file: Path) -> None:
    told: list[int] = []
    with cutting(40_000) as (url, asked):
        ask(url, "download", "0199", file, on_received=told.append)
    assert file.read_bytes() == CONTENT
    assert left(file) == {"results.csv"}
    further = [f"bytes={start}-" for start in range(40_000, 300_000, 40_000)]
    assert [each.headers.get("range") for each in asked] == [None, *further]
    assert {each.headers.get("if-range") for each in asked[1:]} == {ETAG}
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_results_of_a_real_service_are_byte_identical_over_broken_connections(
    ask: Ask, url: str, file: Path, kind: str
) -> None:
    job = ask(url, "submit_file", [b"text\n", *(b'film %d, "good"\n' % (n % 7) for n in range(2_000))], format="csv")
    job = ask(url, "wait", job)
    whole = BytesIO()
    ask(url, "download", job, whole, format=kind)
    most = len(whole.getvalue()) // 5
    with serving(lambda asked: cut_short(url, asked, most)) as (cutting_url, asked):
        ask(cutting_url, "download", job, file, format=kind)
    assert file.read_bytes() == whole.getvalue()
    assert len(asked) >= 5
    assert all("range" in each.headers for each in asked[1:])


def test_the_options_of_a_download_are_sent(ask: Ask, file: Path) -> None:
    with scripted(answer(200, b"", content_type="application/x-ndjson")) as (url, asked):
        ask(url, "download", "0199", file, format="ndjson", status="failed", formulas="keep")
        ask(url, "download", "0199", file, bom=True)
    assert asked[0].line == "GET /v1/jobs/0199/results?format=ndjson&formulas=keep&status=failed HTTP/1.1"
    assert asked[1].line == "GET /v1/jobs/0199/results?format=csv&formulas=escape&bom=true HTTP/1.1"


def test_a_later_process_resumes_a_download(ask: Ask, file: Path) -> None:
    give_up_after(ask, file, 100_000)
    assert left(file) == {"results.csv.part", "results.csv.part.etag"}
    with serving(ranged()) as (url, asked):
        ask(url, "download", "0199", file)
    assert file.read_bytes() == CONTENT
    assert [each.headers.get("range") for each in asked] == ["bytes=100000-"]
    assert left(file) == {"results.csv"}


def test_results_that_changed_are_fetched_from_the_beginning(ask: Ask, file: Path) -> None:
    give_up_after(ask, file, 100_000)
    with serving(ranged(CONTENT[::-1], etag='"another"')) as (url, _):
        ask(url, "download", "0199", file)
    assert file.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_results_without_a_strong_etag_are_fetched_from_the_beginning(ask: Ask, file: Path, etag: str) -> None:
    give_up_after(ask, file, 100_000, etag=etag)
    with serving(ranged(etag=etag)) as (url, asked):
        ask(url, "download", "0199", file)
    assert [each.headers.get("range") for each in asked] == [None]
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("job", "other"), [("0200", {}), ("0199", {"status": "failed"}), ("0199", {"format": "ndjson"})]
)
def test_the_beginning_of_other_results_is_not_resumed(ask: Ask, file: Path, job: str, other: dict[str, str]) -> None:
    give_up_after(ask, file, 100_000)
    with serving(ranged()) as (url, asked):
        ask(url, "download", job, file, **other)
    assert asked[0].headers.get("range") is None
    assert file.read_bytes() == CONTENT


def test_a_download_that_was_complete_is_only_renamed(ask: Ask, file: Path) -> None:
    give_up_after(ask, file, len(CONTENT) - 1)
    with (file.parent / "results.csv.part").open("ab") as part:
        part.write(CONTENT[-1:])
    with serving(ranged()) as (url, asked):
        ask(url, "download", "0199", file)
    assert len(asked) == 1
    assert file.read_bytes() == CONTENT


def test_a_part_that_is_longer_than_the_results_is_thrown_away(ask: Ask, file: Path) -> None:
    give_up_after(ask, file, 100_000)
    with (file.parent / "results.csv.part").open("ab") as part:
        part.write(CONTENT)
    with serving(ranged()) as (url, _):
        ask(url, "download", "0199", file)
    assert file.read_bytes() == CONTENT


def test_a_connection_that_always_breaks_at_the_same_byte_ends_the_download(ask: Ask, file: Path) -> None:
    with cutting(40_000, etag="") as (url, asked), pytest.raises(ServiceUnreachable):
        ask(url, "download", "0199", file, retry_seconds=0.5)
    assert len(asked) == 3  # only the first made progress


def test_a_refused_download_leaves_nothing(ask: Ask, file: Path) -> None:
    with scripted(answer(404, '{"title": "Not Found"}')) as (url, _), pytest.raises(Refused):
        ask(url, "download", "0199", file)
    assert left(file) == set()


def test_an_existing_file_stays_until_the_new_one_is_whole(ask: Ask, file: Path) -> None:
    file.write_text("before")
    give_up_after(ask, file, 10)
    assert file.read_text() == "before"
    with serving(ranged()) as (url, _):
        ask(url, "download", "0199", file)
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["application/json", "text/html; charset=utf-8"])
def test_an_answer_without_results_is_refused(ask: Ask, file: Path, kind: str) -> None:
    with scripted(answer(200, "{}", content_type=kind)) as (url, _), pytest.raises(NotVerdict, match="200"):
        ask(url, "download", "0199", file)
    assert left(file) == set()


def test_an_empty_answer_is_refused(ask: Ask, file: Path) -> None:
    with scripted(answer(202, b"")) as (url, _), pytest.raises(NotVerdict, match="202"):
        ask(url, "download", "0199", file)
    assert left(file) == set()


def test_another_range_than_the_requested_one_is_not_written(ask: Ask, file: Path) -> None:
    give_up_after(ask, file, 100_000)
    with (
        scripted(answer(206, b"x", content_range="bytes 7-7/8")) as (url, _),
        pytest.raises(NotVerdict, match="206"),
    ):
        ask(url, "download", "0199", file)


def test_an_open_file_is_written_over_broken_connections(ask: Ask) -> None:
    out = BytesIO()
    with cutting(40_000) as (url, _):
        ask(url, "download", "0199", out)
    assert out.getvalue() == CONTENT


def test_an_open_file_is_not_given_other_results_in_the_middle(ask: Ask) -> None:
    replies = iter([ranged(cut=40_000), ranged(CONTENT[::-1], etag='"another"')])

    def reply(asked: Asked) -> bytes:
        return next(replies)(asked)

    with serving(reply) as (url, _), pytest.raises(DownloadChanged):
        ask(url, "download", "0199", BytesIO())
