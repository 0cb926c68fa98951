"""Uploads: unchanged, in pieces, and repeated only if the source can be read again."""

import gzip
import io
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Ask
from tests.client.test_troubles import DONE, LOST, keys
from tests.client.wire import scripted
from tests.fakes import expected_sentiment
from verdict import Refused, ServiceUnreachable, UnknownFormat

CSV = b'id,review,sentiment\n1,"good, I\nsay",positive\n2,bad,negative\n'
TEXTS = ["good, I\nsay", "bad"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "reviews.csv"
    file.write_bytes(CSV)
    return file


@pytest.mark.parametrize(
    ("name", "asked_for"),
    [
        ("reviews.csv", ("text/csv", "format=csv")),
        ("reviews.TSV", ("text/csv", "format=csv&delimiter=%09")),
        ("reviews.ndjson", ("application/x-ndjson", "format=ndjson")),
        ("reviews.jsonl.gz", ("application/gzip", "format=ndjson")),
        ("reviews.csv.gz", ("application/gzip", "format=csv")),
        ("reviews.txt.zst", ("application/gzip", "format=csv")),
        ("reviews.xlsx", ("application/gzip", "format=csv")),
        ("reviews.json", ("application/x-ndjson", "format=ndjson")),
    ],
)
def test_the_name_tells_the_format(ask: Ask, tmp_path: Path, name: str, asked_for: tuple[str, str]) -> None:
    (tmp_path / name).write_bytes(CSV)
    with scripted(DONE) as (url, asked):
        ask(url, "submit_file", tmp_path / name)
    [request] = asked
    assert (request.headers["content-type"], request.line.split()[1].partition("?")[2]) == asked_for
    assert request.body == CSV


def test_the_options_of_reading_are_sent(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "reviews.txt").write_bytes(CSV)
    options: dict[str, Any] = {
        "text_column": "a b",
        "id_column": "i",
        "label_column": "l",
        "delimiter": ";",
        "model": "m",
    }
    options |= {"labels": {"1": "negative", "5": "positive"}, "header": 2, "quoting": "none"}
    with scripted(DONE) as (url, asked):
        ask(url, "submit_file", str(tmp_path / "reviews.txt"), format="csv", deadline_seconds=5, **options)
    assert asked[0].line.split()[1].partition("?")[2] == (
        "format=csv&delimiter=%3B&model=m&text_column=a+b&id_column=i&label_column=l"
        "&labels=1%3Anegative%2C5%3Apositive&header=2&quoting=none&deadline_seconds=5"
    )


def test_a_name_that_tells_no_format_is_refused_before_anything_is_sent(ask: Ask, tmp_path: Path) -> None:
    with scripted(DONE) as (url, asked), pytest.raises(UnknownFormat, match=r"reviews\.dat"):
        ask(url, "submit_file", tmp_path / "reviews.dat")
    assert asked == []


def test_a_missing_file_is_an_os_error(ask: Ask, tmp_path: Path) -> None:
    with scripted(DONE) as (url, _), pytest.raises(FileNotFoundError):
        ask(url, "submit_file", tmp_path / "reviews.csv")


def test_a_path_is_sent_again_under_its_key(ask: Ask, file: Path) -> None:
    sent: list[int] = []
    with scripted(LOST, DONE) as (url, asked):
        assert ask(url, "submit_file", file, on_sent=sent.append).id == "0199"
    assert [each.body for each in asked] == [CSV, CSV]
    assert len(keys(asked)) == 1
    assert sent == [len(CSV), len(CSV)]


def test_a_stream_is_sent_once(ask: Ask) -> None:
    with scripted(LOST) as (url, asked), pytest.raises(ServiceUnreachable):
        ask(url, "submit_file", io.BytesIO(CSV), format="csv")
    assert len(asked) == 1


def test_a_stream_is_read_as_it_is_sent(ask: Ask) -> None:
    """Memory is constant: a piece is read after the previous one was sent."""
    sent: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(100):
            assert sum(sent[-1:]) == number * 1000
            yield b"x" * 1000

    with scripted(DONE) as (url, asked):
        ask(url, "submit_file", pieces(), format="csv", on_sent=sent.append)
    assert len(asked[0].body) == 100_000
    assert asked[0].headers["transfer-encoding"] == "chunked"


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("source", ["path", "gzip", "open file", "chunks"])
def test_a_file_comes_back_with_its_results(ask: Ask, url: str, file: Path, tmp_path: Path, source: str) -> None:
    packed = tmp_path / "reviews.csv.gz"
    packed.write_bytes(gzip.compress(CSV))
    with file.open("rb") as opened:
        given = {"path": file, "gzip": packed, "open file": opened, "chunks": [CSV[:7], CSV[7:]]}[source]
        job = ask(url, "submit_file", given, format="csv", id_column="id")
    job = ask(url, "wait", job)
    assert (job.status, job.counts.succeeded, job.file.columns) == ("succeeded", 2, ["id", "review", "sentiment"])
    assert job.evaluation.labelled == 2
    results = ask(url, "results", job)
    answers = [expected_sentiment(text) for text in TEXTS]
    assert [(each.id, each.line, each.sentiment) for each in results] == [("1", 2, answers[0]), ("2", 4, answers[1])]


@pytest.mark.usefixtures("worker")
def test_ndjson_comes_back_with_its_results(ask: Ask, url: str, tmp_path: Path) -> None:
    file = tmp_path / "reviews.ndjson"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    job = ask(url, "wait", ask(url, "submit_file", file))
    ask(url, "download", job, tmp_path / "results.ndjson", format="ndjson")
    lines = (tmp_path / "results.ndjson").read_text().splitlines()
    assert [json.loads(line)["sentiment"] for line in lines] == [expected_sentiment(text) for text in TEXTS]


def test_a_file_that_is_refused_says_why(ask: Ask, url: str) -> None:
    with pytest.raises(Refused, match="length") as refused:
        ask(url, "submit_file", [b"width,length\n1,2\n"], format="csv")
    assert refused.value.type == "urn:verdict:no-text-column"


def test_a_large_file_that_is_refused_at_its_beginning_says_why(ask: Ask, url: str) -> None:
    rows = (b"1,2\n" * 50_000 for _ in range(200))
    with pytest.raises(Refused, match="length"):
        ask(url, "submit_file", chain([b"width,length\n"], rows), format="csv")


def test_a_repeated_upload_under_one_key_is_one_job(ask: Ask, url: str, file: Path) -> None:
    assert len({ask(url, "submit_file", file, idempotency_key="mine").id for _ in range(2)}) == 1
