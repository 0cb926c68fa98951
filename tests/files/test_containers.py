"""Compressed files, workbooks and Parquet: the table inside is read, or the file is refused by its format."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest
from backports import zstd
from pyarrow import parquet

from files import workbook
from files.errors import AmbiguousColumn, CorruptArchive, NotText, TooLarge
from tests.files.reading import CSV, LIMITS, NDJSON, refusal, rows, table, texts
from tests.files.workbooks import ods, xlsx, zipped

FILE = b"id,review\n1,fine\n2,bad\n"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_packed_files_are_read_whatever_their_name(kind: str, size: int) -> None:
    assert [row.text for row in rows(PACK[kind](FILE), size=size)] == ["fine", "bad"]
    assert [row.text for row in rows(PACK[kind](FILE[:12]) + PACK[kind](FILE[12:]), size=size)] == ["fine", "bad"]


@pytest.mark.parametrize("kind", PACK)
def test_packed_files_that_are_cut_or_grow_too_large_are_refused(kind: str) -> None:
    packed = PACK[kind](FILE)
    assert "ends too early" in refusal(CorruptArchive, packed[:-3])
    bomb = PACK[kind](b"review\n" + b"a" * 20_000_000)
    assert "10,000 bytes" in refusal(TooLarge, bomb, limits=replace(LIMITS, bytes=10_000))


def test_a_zip_with_one_file_is_read_and_others_are_refused_with_their_files() -> None:
    assert texts(zipped(**{"a/reviews.csv": FILE, "__MACOSX/a/._reviews.csv": b"x"})) == ["fine", "bad"]
    assert texts(zipped(**{"reviews.jsonl": b'"fine"\n'}), NDJSON) == ["fine"]
    assert '"a.csv", "b.csv"' in refusal(NotText, zipped(**{"a.csv": FILE, "b.csv": FILE}))
    assert "Word" in refusal(NotText, zipped(**{"word/document.xml": b"<x/>"}))
    assert "compressed twice" in refusal(NotText, zipped(**{"a.csv.gz": gzip.compress(FILE)}))
    assert "ZIP" in refusal(CorruptArchive, zipped(**{"a.csv": FILE})[:-30])
    assert refusal(TooLarge, zipped(**{"a.csv": b"a" * 100_000}), limits=replace(LIMITS, bytes=1000))


@pytest.mark.parametrize("workbook_of", [xlsx, ods])
def test_the_sheet_with_reviews_is_read(workbook_of: Callable[..., bytes]) -> None:
    header, first = ["id", "Review Text", "stars", "day"], [1, 'Fine, <really> "good" 5" & é.', 5, date(2025, 1, 2)]
    filled: list[list[object]] = [["Export"], [*header], first, [2, "Bad,\nI think.", 1.5, ""], [], [3, "-1", 2, ""]]
    found = table(workbook_of(Notes=[["about"]], Data=filled))
    assert found.layout.columns == ("id", "Review Text", "stars", "day")
    assert found.layout.encoding == workbook_of.__name__
    rows = list(found.rows)
    assert [(row.text, row.caller_id, row.others) for row in rows] == [
        ('Fine, <really> "good" 5" & é.', "1", ["1", "5", "2025-01-02"]),
        ("Bad,\nI think.", "2", ["2", "1.5", ""]),
        ("-1", "3", ["3", "2", ""]),
    ]
    assert [row.error for row in rows] == [None] * 3


def test_truth_values_of_a_workbook_are_labels() -> None:
    file = xlsx(Data=[["text", "label"], ["Fine.", True], ["Bad.", False]])
    assert [row.label for row in table(file, replace(CSV, label_column="label")).rows] == ["true", "false"]


def test_several_sheets_of_reviews_are_refused_with_their_names() -> None:
    both = [["review"], ["Fine."]]
    assert '"A", "B"' in refusal(AmbiguousColumn, ods(A=both, B=both))


def test_a_workbook_that_would_take_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MOST_BYTES", 500)
    assert "decompressed" in refusal(TooLarge, ods(A=[["review"], ["Fine." * 200]]))


def test_parquet_is_read() -> None:
    out = io.BytesIO()
    parquet.write_table(pa.table({"review": ['fine,\n"good"', None], "label": [True, False], "n": [1.0, None]}), out)
    found = table(out.getvalue(), replace(CSV, label_column="label"))
    assert [(row.text, row.label, row.others) for row in found.rows] == [
        ('fine,\n"good"', "true", ["true", "1.0"]),
        ("", "false", ["false", ""]),
    ]
    assert "Parquet" in refusal(CorruptArchive, out.getvalue()[:-10])
