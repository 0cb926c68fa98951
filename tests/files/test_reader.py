"""Behaviour of CSV and NDJSON alike: lazy reading, constant memory, the cap on rows, empty files, messages."""

import csv
import tracemalloc
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat

import pytest

from files import errors
from files.errors import EmptyFile, FileRefused, NoRows, TooLarge, shown, shown_names
from files.layout import WantedColumns
from files.reader import read
from tests.files.reading import CSV, LIMITS, NDJSON, chunks, refusal, rows, table


def kinds(kind: type[FileRefused]) -> Iterator[type[FileRefused]]:
    yield kind
    for each in kind.__subclasses__():
        yield from kinds(each)


def test_every_refusal_has_its_own_code_and_is_in_the_tree_of_the_docstring() -> None:
    codes = [kind.code for kind in kinds(FileRefused)]
    assert len(set(codes)) == len(codes) > 10
    assert [kind.__name__ for kind in kinds(FileRefused) if kind.__name__ not in (errors.__doc__ or "")] == []


def test_the_layout_is_known_before_the_rest_is_read() -> None:
    taken = 0

    def sent() -> Iterator[bytes]:
        nonlocal taken
        for chunk in chunks(b"review\n" + b"fine\n" * 100_000, 1000):
            taken += len(chunk)
            yield chunk

    found = read(sent(), CSV, LIMITS)
    assert found.layout.columns == ("review",)
    assert taken < 100_000
    assert next(found.rows).text == "fine"


@pytest.mark.parametrize(
    "file",
    [
        chain([b"review,label\n"], repeat(b'"good<br />\nfilm",positive\n' * 1000, 100)),
        chain(repeat(b"\n" * 10_000, 40), [b"review\nfine\n"]),
        chain([b'review\n"fine\n"'], repeat(b"\r\n" * 10_000, 20)),
    ],
    ids=["rows", "blank-lines-before", "blank-lines-behind"],
)
def test_a_file_of_any_length_takes_the_same_memory(file: Iterator[bytes]) -> None:
    tracemalloc.start()
    deque(read(file, CSV, replace(LIMITS, rows=1_000_000)).rows, maxlen=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_an_error_of_the_connection_is_passed_on() -> None:
    def broken() -> Iterator[bytes]:
        yield b"review\nfine\n" + b"a" * 200_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        list(read(broken(), CSV, LIMITS).rows)


@pytest.mark.parametrize("file", ["", "\n", "\r\n\r\n", "\ufeff", "\ufeff\n"])
@pytest.mark.parametrize("wanted", [CSV, NDJSON], ids=["csv", "ndjson"])
def test_a_file_without_content_is_refused_as_empty(file: str, wanted: WantedColumns) -> None:
    assert "empty" in refusal(EmptyFile, file, wanted)


@pytest.mark.parametrize("file", ["review", "review\n", "id,review\r\n\r\n", "\ufeffreview\n"])
def test_a_header_alone_is_refused_when_the_rows_are_read(file: str) -> None:
    assert table(file).layout.columns
    assert "no rows" in refusal(NoRows, file)


@pytest.mark.parametrize(
    ("file", "wanted"), [("review\na\nb\nc\n", CSV), ('"a"\n"b"\n"c"\n', NDJSON)], ids=["csv", "ndjson"]
)
def test_one_row_more_than_the_limit_is_refused(file: str, wanted: WantedColumns) -> None:
    assert len(rows(file, wanted, replace(LIMITS, rows=3))) == 3
    assert "more than 2 rows" in refusal(TooLarge, file, wanted, replace(LIMITS, rows=2))


def test_rows_with_errors_count_too() -> None:
    refusal(TooLarge, 'review\n""\n""\n', limits=replace(LIMITS, rows=1))


def test_the_process_wide_limit_of_csv_is_out_of_the_way() -> None:
    assert csv.field_size_limit() > LIMITS.record_chars
    text = "a" * 200_000  # csv's own default is 131,072
    assert rows(f"review\n{text}\n", limits=replace(LIMITS, review_chars=200_000))[0].text == text


def test_messages_show_input_short_on_one_line_and_without_surrogates() -> None:
    assert shown("a" * 1000) == '"' + "a" * 39 + '…"'
    assert shown("a\nb\0\ud800") == '"a b\ufffd\ufffd"'


def test_of_many_names_the_first_are_shown() -> None:
    assert shown_names(["a", "b"]) == '"a", "b"'
    assert shown_names([str(number) for number in range(1020)]).endswith('"19" and 1,000 more')
