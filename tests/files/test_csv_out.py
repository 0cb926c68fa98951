"""Results as CSV: column names that do not collide, cells that do not run as formulas, records that read back."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.csv_out import FORMULA_STARTS, OURS, Writer, escape_formula, our_names, own_cells
from files.layout import Layout
from tests.files.reading import rows, table

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def written(*records: list[str], delimiter: str = ",", escape: bool = True) -> str:
    out = io.StringIO(newline="")
    writer = Writer(out, delimiter, escape=escape)
    for record in records:
        writer.record(record)
    return out.getvalue()


def layout(width: int, text: int) -> Layout:
    return Layout(tuple("abcdef"[:width]), text, None, None, ",", "utf-8")


def test_result_columns_keep_their_names_beside_other_names() -> None:
    assert our_names(["id", "review"]) == OURS


@pytest.mark.parametrize("name", ["sentiment", "Sentiment", " SENTIMENT "])
def test_a_name_that_the_caller_has_gets_a_prefix(name: str) -> None:
    assert our_names(["review", name]) == ("verdict_sentiment", *OURS[1:])


def test_results_of_results_have_distinct_column_names() -> None:
    columns: list[str] = ["review"]
    for _ in range(4):
        columns += our_names(columns)
    assert columns[11:17:5] == ["verdict_sentiment_2", "verdict_sentiment_3"]
    assert len(set(columns)) == len(columns) == 21


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    assert escape_formula(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("cell", ["", "a=1", " =1", "'=1", "1-1", "\n=1"])
def test_another_cell_stays_as_it_is(cell: str) -> None:
    assert escape_formula(cell) == cell


def test_formulas_are_kept_when_asked() -> None:
    assert written(["=1", "a"], escape=False) == "=1,a\n"
    assert written(["=1", "a"]) == "'=1,a\n"


@pytest.mark.parametrize("cell", ["a,b", 'a"b', "a\nb", "a\rb", "a\r\nb", "\r\n"])
def test_a_cell_is_quoted_where_it_must_be(cell: str) -> None:
    doubled = cell.replace('"', '""')
    assert written([cell, "x"], escape=False) == f'"{doubled}",x\n'


def test_records_end_with_lf() -> None:
    assert written(["a", "b"], ["c\r\n", "d\r\n"]) == 'a,b\n"c\r\n","d\r\n"\n'


@given(st.lists(st.lists(CELLS, min_size=1), min_size=1), st.sampled_from(",;\t|"))
def test_written_records_read_back(records: list[list[str]], delimiter: str) -> None:
    text = written(*records, delimiter=delimiter, escape=False)
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)) == records


@given(st.lists(CELLS, min_size=1), st.sampled_from(",;\t|"))
def test_a_record_is_what_pythons_csv_writes_but_for_its_end(record: list[str], delimiter: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerow(record)
    assert written(record, delimiter=delimiter, escape=False) == out.getvalue().removesuffix("\r\n") + "\n"


@pytest.mark.parametrize(
    ("width", "place", "text", "others", "cells"),
    [
        (3, 1, "t", ["a", "b"], ["a", "t", "b"]),
        (1, 0, "t", [], ["t"]),
        (3, 2, "", ["a"], ["a", "", ""]),
        (3, 0, "t", [], ["t", "", ""]),
        (2, 0, "t", ["a", "b", "c"], ["t", "a"]),
        (2, 1, "t", ["a", "b"], ["a", "t"]),
    ],
)
def test_own_cells_are_as_wide_as_the_header(
    width: int, place: int, text: str, others: list[str], cells: list[str]
) -> None:
    assert own_cells(layout(width, place), text, others) == cells


def test_the_cells_of_rows_are_those_that_were_sent() -> None:
    file = "a,review,b\n1,fine,2\n3,bad,4\n"
    found = table(file)
    again = written(list(found.layout.columns), *[own_cells(found.layout, row.text, row.others) for row in rows(file)])
    assert again == file


@pytest.mark.parametrize("cell", ["-33.9", "-1", "+1", "-1,5", "+1.5e-3", "-1,234.50", "-20%"])
def test_a_number_is_no_formula(cell: str) -> None:
    assert escape_formula(cell) == cell


@pytest.mark.parametrize("cell", ["=1+1 is dull.", "-1+1", "+1 (555) 1", "-", "+A1", "-1-cmd|' /C calc'!A0", "-1\n"])
def test_a_formula_that_begins_like_a_number_is_escaped(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"
