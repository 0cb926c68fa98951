"""NDJSON: objects and strings, and invalid lines, which leave the others unharmed."""

import json
from dataclasses import replace
from itertools import chain, repeat

import pytest

from files.errors import AmbiguousColumn, NoSuchColumn, NoTextColumn, NotNdjson, RecordTooLong
from files.reader import read
from files.row import Row
from tests.files.reading import LIMITS, NDJSON, errors, refusal, rows, table, texts


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_an_object_has_its_text_its_id_and_its_label() -> None:
    file = lines({"id": "a", "review": "fine", "sentiment": "positive", "stars": 5}, {"review": "bad"})
    assert rows(file, NDJSON) == [
        Row(0, 1, "fine", "a", "positive", [], None),
        Row(1, 2, "bad", None, None, [], None),
    ]
    layout = table(file, NDJSON).layout
    assert (layout.columns, layout.text, layout.id, layout.label) == (("review", "id", "sentiment"), 0, 1, 2)


def test_a_string_is_a_text() -> None:
    file = lines("fine", {"text": "good"}, "bad")
    assert texts(file, NDJSON) == ["fine", "good", "bad"]
    assert table(file, NDJSON).layout.columns == ("text",)


def test_wanted_members_are_used() -> None:
    wanted = replace(NDJSON, text_column="Opinion", id_column="key", label_column="stars")
    assert rows(lines({"text": "no", "opinion": "fine", "key": 7, "stars": True}), wanted)[0][2:5] == (
        "fine",
        "7",
        "true",
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", " \n\t\n"])
def test_blank_lines_are_no_rows_and_lines_end_with_lf_crlf_or_cr(end: str) -> None:
    assert texts(f'{end}"a"{end}"b"{end} "c"', NDJSON) == ["a", "b", "c"]


def test_a_line_separator_of_unicode_is_part_of_the_text() -> None:
    assert texts('"a\u2028b"\n', NDJSON) == ["a\u2028b"]


@pytest.mark.parametrize(
    ("value", "written"),
    [("7", "7"), (7, "7"), (-1, "-1"), (True, "true"), (1.5, "1.5"), ("", None), (None, None), ([1], None), ({}, None)],
)
def test_ids_and_labels_are_written_as_json_writes_them(value: object, written: str | None) -> None:
    row = rows(lines({"text": "a", "id": value, "label": value}), NDJSON)[0]
    assert (row.caller_id, row.label, row.error) == (written, written, None)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "invalid_json"),
        ("fine", "invalid_json"),
        ('{"text": "a"} x', "invalid_json"),
        ('{"text": NaN}', "invalid_json"),
        ('{"text": "a", "x": -Infinity}', "invalid_json"),
        ('{"text": "a\0"}', "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"a":' * 100_000, "invalid_json"),
        ("[" * 100 + "]" * 100, "not_an_object"),
        ("9" * 5000, "invalid_json"),
        ("[]", "not_an_object"),
        ("7", "not_an_object"),
        ("null", "not_an_object"),
        ("{}", "text_not_a_string"),
        ('{"text": null}', "text_not_a_string"),
        ('{"text": 7}', "text_not_a_string"),
        ('{"text": ["a"]}', "text_not_a_string"),
        ('{"Text": "a"}', "text_not_a_string"),
        ('{"text": ""}', "empty_text"),
        ('" \\n"', "empty_text"),
        ('"' + "a" * 10_001 + '"', "text_too_long"),
        (r'"a\u0000"', "nul_character"),
        (r'"a\ud800"', "invalid_character"),
        (r'{"text": "a", "id": "\udfff"}', "invalid_character"),
        (r'{"text": "a", "label": "\u0000"}', "nul_character"),
    ],
)
def test_an_invalid_line_is_an_error_of_its_row(line: str, code: str) -> None:
    file = f'{{"text": "fine", "id": "1", "label": "x"}}\n{line}\n"good"\n'
    assert errors(file, NDJSON) == [None, code, None]
    wrong = rows(file, NDJSON)[1]
    assert wrong.error is not None
    assert wrong.error.detail.endswith(".")
    assert len(wrong.error.detail.encode()) < 200


def test_characters_that_postgresql_cannot_store_are_replaced() -> None:
    file = r'{"text": "a\ud800\u0000b", "id": "\udc00", "label": "\u0000"}'
    assert rows(file, NDJSON)[0][2:5] == ("a\ufffd\ufffdb", "\ufffd", "\ufffd")


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert texts(r'"\ud83d\ude00"', NDJSON) == ["😀"]


def test_the_id_of_a_row_with_an_error_is_kept() -> None:
    assert rows(lines({"id": 7, "text": None}), NDJSON)[0].caller_id == "7"


def test_the_last_of_equal_names_in_an_object_counts() -> None:
    assert texts('{"text": "a", "text": "b"}', NDJSON) == ["b"]


@pytest.mark.parametrize("line", ["review,label", "{", "7", "null", '{"text": NaN}', "[" * 100_000])
def test_a_first_line_that_is_neither_object_nor_string_refuses_the_file(line: str) -> None:
    assert "ine 2" in refusal(NotNdjson, f'\n{line}\n"a"\n', NDJSON)


@pytest.mark.parametrize(
    "file",
    ["[", '["a"', '["a",', '["a"] "b"', '[]\n"a"', '["a" "b"]', '[{"text": "a"}, {"text"]', '["a", NaN]', '["a"]]'],
)
def test_an_array_with_an_error_refuses_the_file(file: str) -> None:
    assert "array" in refusal(NotNdjson, file, NDJSON) or "element" in refusal(NotNdjson, file, NDJSON)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_array_is_read_as_rows_and_each_knows_its_line(size: int) -> None:
    file = json.dumps([{"text": "a\nb", "id": 1, "label": 1.0}, {"text": "ü", "id": 22}, "c", 7], indent=1)
    found = rows(file, NDJSON, size=size)
    assert [(row.line, row.text, row.caller_id, row.label) for row in found] == [
        (2, "a\nb", "1", "1.0"),
        (7, "ü", "22", None),
        (11, "c", None, None),
        (12, "", None, None),
    ]
    assert [row.error.code if row.error else None for row in found] == [None, None, None, "not_an_object"]


def test_an_element_without_end_is_refused_before_all_of_it_is_read() -> None:
    endless = chain([b'["fine", "'], repeat(b"a" * 65_536))
    with pytest.raises(RecordTooLong):
        list(read(endless, NDJSON, replace(LIMITS, record_chars=100_000)).rows)


def test_a_text_in_a_nested_object_is_found_or_given_by_its_path() -> None:
    file = lines({"id": 1, "review": {"text": "a", "stars": 5}}, {"id": 2, "review": {"text": "b"}}, {"id": 3})
    assert [row.text for row in rows(file, NDJSON)] == ["a", "b", ""]
    assert table(file, replace(NDJSON, text_column="review.text", label_column="review.stars")).layout.columns == (
        "review.text",
        "id",
        "review.stars",
    )
    assert "review.text" in refusal(NoTextColumn, file, replace(NDJSON, text_column="review"))


def test_the_first_object_may_lack_the_text() -> None:
    assert errors(lines({"id": 1}, {"id": 2, "text": "b"}), NDJSON) == ["text_not_a_string", None]


def test_a_first_object_without_a_known_text_refuses_the_file() -> None:
    assert '"title", "stars\ufffd"' in refusal(NoTextColumn, r'{"title": "a", "stars\ud800": 5}', NDJSON)
    refusal(NoTextColumn, "{}", NDJSON)
    refusal(NoSuchColumn, lines({"text": "a"}), replace(NDJSON, id_column="key"))
    refusal(NoSuchColumn, lines("a"), replace(NDJSON, label_column="stars"))
    refusal(AmbiguousColumn, lines({"Text": "a", "TEXT": "b"}), NDJSON)


def test_names_that_postgresql_cannot_store_are_replaced_in_the_layout() -> None:
    found = table(r'{"a\u0000\ud800": "fine"}', replace(NDJSON, text_column="a\0\ud800"))
    assert found.layout.columns == ("a\ufffd\ufffd",)
    assert next(found.rows).text == "fine"


def test_a_line_longer_than_the_limit_is_refused() -> None:
    limits = replace(LIMITS, record_chars=100)
    assert "line 2 " in refusal(RecordTooLong, lines("a", "b" * 100), NDJSON, limits)
