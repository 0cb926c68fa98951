"""Any table reads back unchanged, however it is written as CSV."""

import csv
import gzip
import io
from typing import NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from files.columns import TEXT_NAMES
from files.csv_out import Writer, own_cells
from files.layout import WantedColumns
from tests.files.reading import LIMITS, table

SIGNS = st.text(st.sampled_from(" ,;\t|\"'\r\n=aé€\u2028\ufeff😀"))
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
CELLS = SIGNS | ANY


class Written(NamedTuple):
    """A file and the table from which it was written."""

    file: bytes
    wanted: WantedColumns
    columns: list[str]
    records: list[list[str]]


@st.composite
def written(draw: st.DrawFn) -> Written:
    names = CELLS.filter(lambda name: name.strip().casefold() not in TEXT_NAMES)
    columns = draw(st.permutations(["review", *draw(st.lists(names, max_size=4))]))
    width = len(columns)
    records = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8))
    delimiter = draw(st.sampled_from(",;\t|"))
    text = as_csv([columns, *records], delimiter, draw(st.sampled_from(["\n", "\r\n"])))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "windows-1252"]))
    assume(not text.startswith("\ufeff"))  # it would be read as a byte order mark
    if encoding == "windows-1252":
        assume(encodable(text))
    file = text.encode(encoding)
    wanted = WantedColumns(
        "csv",
        text_column="review",  # the dialect is given, since random cells do not show it
        header="1",
        quoting="doubled",
        delimiter=delimiter,
        charset=encoding if encoding == "windows-1252" else None,  # it can look like UTF-8
    )
    return Written(gzip.compress(file) if draw(st.booleans()) else file, wanted, columns, records)


def as_csv(records: list[list[str]], delimiter: str, end: str) -> str:
    """Return the records as CSV, by our writer if lines end with LF: Python's would leave a CR unquoted."""
    out = io.StringIO(newline="")
    if end == "\n":
        writer = Writer(out, delimiter, escape=False)
        for record in records:
            writer.record(record)
    else:
        csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(records)
    return out.getvalue()


def encodable(text: str) -> bool:
    return text.encode("windows-1252", "ignore").decode("windows-1252") == text


@settings(max_examples=400)
@given(written(), st.integers(1, 200))
def test_any_table_reads_back_as_it_was(written: Written, size: int) -> None:
    found = table(written.file, written.wanted, LIMITS, size)
    rows = list(found.rows)
    assert list(found.layout.columns) == written.columns
    assert [own_cells(found.layout, row.text, row.others) for row in rows] == written.records
    assert [row.index for row in rows] == list(range(len(rows)))
    assert {row.error.code for row in rows if row.error} <= {"empty_text"}
