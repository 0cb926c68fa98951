"""CSV: line ends, quotes, delimiters, and invalid rows, which leave the others unharmed."""

from dataclasses import replace
from itertools import chain, repeat

import pytest

from files.errors import NotText, RecordTooLong, TooManyColumns, UnclosedQuote, UnknownDelimiter
from files.pieces import PIECE_BYTES
from files.reader import read
from files.row import Row, RowError
from tests.files.reading import CSV, LIMITS, errors, refusal, rows, table, texts


def test_a_row_has_its_index_its_line_its_cells_and_the_callers_id_and_label() -> None:
    file = "id,review,stars,sentiment\n7,fine,5,positive\n,bad,1,\n"
    assert rows(file) == [
        Row(0, 2, "fine", "7", "positive", ["7", "5", "positive"], None),
        Row(1, 3, "bad", None, None, ["", "1", ""], None),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_lines_may_end_with_lf_crlf_or_cr(end: str, size: int) -> None:
    file = end.join(["review", "one", f'"two{end}lines"', "", "four", ""])
    found = rows(file, size=size)
    assert [(row.line, row.text) for row in found] == [(2, "one"), (3, f"two{end}lines"), (6, "four")]


def test_lines_may_end_in_different_ways_in_one_file() -> None:
    found = rows("review\r\na\nb\rc\r\n\nd")
    assert [(row.line, row.text) for row in found] == [(2, "a"), (3, "b"), (4, "c"), (6, "d")]


@pytest.mark.parametrize("place", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_a_line_end_may_be_cut_by_the_end_of_a_chunk(place: int, end: str) -> None:
    text = "a" * (place - len("review\n"))
    found = rows(f"review\n{text}{end}b{end}", limits=replace(LIMITS, review_chars=100_000), size=PIECE_BYTES)
    assert [(row.line, row.text) for row in found] == [(2, text), (3, "b")]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_line_ends_of_unicode_only_are_part_of_the_text(sign: str) -> None:
    assert texts(f"review\na{sign}b\n") == [f"a{sign}b"]


def test_quotes_are_doubled_and_may_hold_delimiters_and_line_ends() -> None:
    assert texts('review\n"he said ""no"", twice\nover"\n"""quoted"""\n') == [
        'he said "no", twice\nover',
        '"quoted"',
    ]


def test_a_quote_within_an_unquoted_cell_is_part_of_the_text() -> None:
    assert texts('review\na 5" disk\nsay "no"\n') == ['a 5" disk', 'say "no"']


def test_a_quote_that_closes_within_a_cell_is_part_of_the_text() -> None:
    assert texts('review\n"fine" film\n') == ['"fine" film']


def test_spaces_around_cells_are_kept() -> None:
    assert texts("review,label\n  fine ,x\n") == ["  fine "]


def test_blank_lines_are_no_rows_but_an_empty_quoted_cell_is_one() -> None:
    assert [(row.line, row.text) for row in rows('\n\nreview\n\n""\n\nfine\n\n')] == [(5, ""), (7, "fine")]


def test_the_last_line_needs_no_end() -> None:
    assert texts('review\n"fine"') == ["fine"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_the_text_column(delimiter: str) -> None:
    found = table(f"id{delimiter}review{delimiter}label\n1{delimiter}fine{delimiter}positive\n")
    assert found.layout.delimiter == delimiter
    assert next(found.rows)[2:5] == ("fine", "1", "positive")


def test_a_delimiter_that_shows_a_text_column_wins_over_one_with_more_columns() -> None:
    assert table("a,b,c,d;review\n").layout.columns == ("a,b,c,d", "review")


def test_of_delimiters_that_show_a_text_column_the_one_with_more_columns_wins() -> None:
    assert table("review;a,b,c\n", replace(CSV, text_column="review")).layout.delimiter == ";"
    assert table("review|a,review,b\n").layout.columns == ("review|a", "review", "b")


def test_the_wanted_text_column_finds_the_delimiter_too() -> None:
    assert table("a,b;c,d\n", replace(CSV, text_column="b;c")).layout.delimiter == ","
    assert table("a,b;c,d\n", replace(CSV, text_column="c,d")).layout.delimiter == ";"


def test_a_single_column_is_read_with_a_comma() -> None:
    assert table("review\n").layout.delimiter == ","


def test_a_quoted_header_may_span_lines() -> None:
    found = table('"first\nname";review\n"a\nb";fine\n')
    assert found.layout.columns == ("first\nname", "review")
    assert next(found.rows).line == 3


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        ("comma", ","),
        ("semicolon", ";"),
        ("Tab", "\t"),
        ("PIPE", "|"),
        (",", ","),
        (";", ";"),
        ("\t", "\t"),
        ("|", "|"),
    ],
)
def test_a_delimiter_that_is_named_is_used(name: str, delimiter: str) -> None:
    found = table(f"review{delimiter}b,c;d\n", replace(CSV, delimiter=name))
    assert found.layout.delimiter == delimiter
    assert found.layout.columns[0] == "review"


@pytest.mark.parametrize("name", ["", ":", ",,", "\n", '"', "x" * 1000, "\ud800"])
def test_another_delimiter_is_refused(name: str) -> None:
    assert len(refusal(UnknownDelimiter, "review\nfine\n", replace(CSV, delimiter=name))) < 150


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ('review\nfine\n"never\nclosed\n', 3),
        ('review\n"', 2),
        ('review\n"never\n"', None),
        ('"review\nfine\n', 1),
        ('review\n"a""', 2),
        ('id,review\na,"b\n' + "c\n" * 1000, 2),
    ],
)
def test_a_quote_that_is_never_closed_is_refused_with_the_line_of_its_record(file: str, line: int | None) -> None:
    if line is None:
        assert texts(file) == ["never\n"]
    else:
        assert f"begins on line {line} " in refusal(UnclosedQuote, file)


@pytest.mark.parametrize("file", ["review\nfine\n{}\n", 'review\nfine\n"{}\n', "review\nfine\n{}"])
@pytest.mark.parametrize("cell", ["a" * 101, "a\n" * 51, "a\r" * 200_000], ids=["one-line", "lines", "many-lines"])
def test_a_record_longer_than_the_limit_is_refused_with_the_line_on_which_it_began(file: str, cell: str) -> None:
    if '"' not in file:
        cell = f'"{cell}"'
    message = refusal(RecordTooLong, file.format(cell), limits=replace(LIMITS, record_chars=100))
    assert message.startswith("The record that begins on line 3 has more than 100 characters")
    assert "quote" in message


def test_a_record_of_exactly_the_limit_is_taken() -> None:
    text = "a" * 99
    assert [row.text for row in rows(f"review\n{text}\n", limits=replace(LIMITS, record_chars=100))] == [text]


def test_a_line_without_end_is_refused_before_all_of_it_is_read() -> None:
    endless = chain([b"review\nfine\n"], repeat(b"a" * PIECE_BYTES))
    found = read(endless, CSV, replace(LIMITS, record_chars=100_000))
    with pytest.raises(RecordTooLong):
        next(found.rows)


def test_a_header_of_megabytes_is_refused() -> None:
    assert "begins on line 1 " in refusal(RecordTooLong, "a," * 600_000 + "review\nfine\n")


def test_more_than_a_thousand_columns_are_refused() -> None:
    names = [f"c{number}" for number in range(999)]
    assert len(table(",".join([*names, "review"])).layout.columns) == 1000
    assert "1,001 columns" in refusal(TooManyColumns, ",".join([*names, "review", "one more"]))


def test_a_nul_in_a_later_line_of_the_header_is_refused() -> None:
    assert "NUL" in refusal(NotText, 'review,"a\nb\0"\nfine,1\n')


@pytest.mark.parametrize("text", ["", '""', '" "', '"\n"', "\u3000", "\t "])
def test_a_blank_text_is_an_error_of_its_row(text: str) -> None:
    assert errors(f"id,review\n1,{text}\n2,fine\n") == ["empty_text", None]


def test_a_long_text_is_an_error_of_its_row_and_is_kept() -> None:
    found = rows("review\n12345\n123456\n", limits=replace(LIMITS, review_chars=5))
    assert [row.error for row in found] == [
        None,
        RowError("text_too_long", "The text has 6 characters; at most 5 are accepted."),
    ]
    assert found[1].text == "123456"


def test_more_fields_than_the_header_are_an_error_of_their_row_and_are_kept() -> None:
    row, fine = rows("id,review\n1,fine,though,long\n2,good\n")
    assert row == Row(
        0, 2, "fine,though,long", "1", None, ["1"],
        RowError("too_many_fields", "The record has 4 fields; the header has 2."),
    )  # fmt: skip
    assert fine.error is None


def test_a_record_that_ends_before_its_text_is_an_error_of_its_row() -> None:
    assert rows("id,label,review\n1,x\n")[0] == Row(
        0, 2, "", "1", "x", ["1", "x"], RowError("too_few_fields", "The record has 2 fields; the text is field 3.")
    )


def test_a_record_that_ends_after_its_text_is_fine() -> None:
    assert rows("review,label,id\nfine\n") == [Row(0, 2, "fine", None, None, [], None)]


def test_a_nul_is_an_error_of_its_row_and_is_replaced() -> None:
    found = rows("id,review\n1\0,a\0b\n2,fine\n3,c\n")
    assert found[0] == Row(
        0, 2, "a\ufffdb", "1\ufffd", None, ["1\ufffd"], RowError("nul_character", "The cell 1 has a NUL character.")
    )
    assert [row.error for row in found[1:]] == [None, None]
