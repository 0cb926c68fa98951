"""CSV: the header that settles the layout, then one row a record. Called by files.reader.

Parsing is Python's own `csv`, lenient as everybody's is: a quote within an unquoted cell is a character like any other.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import NamedTuple

from files.columns import choose, has_text
from files.encoding import Text
from files.errors import EmptyFile, NotText, RecordTooLong, TooManyColumns, UnclosedQuote, UnknownDelimiter, shown
from files.layout import Layout, Limits, Table, Wanted
from files.lines import Feed, split_lines
from files.row import Row, RowError, text_error

# The one limit that `csv` has is global to the process and 131,072 characters a cell, less than a long review.
# Ours is a record's and is kept by `Feed`; this only has to be out of its way.
csv.field_size_limit(2**31 - 1)

MAX_COLUMNS = 1_000
_HEADER_CHARS = 1_000_000  # held in memory until the delimiter is known
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


def read_csv(text: Text, wanted: Wanted, limits: Limits) -> Table:
    """Read the header now, and the rows as they are iterated."""
    head = Head(split_lines(text, limits.record_chars), min(limits.record_chars, _HEADER_CHARS))
    header = _header(head, wanted)
    if len(header.cells) > MAX_COLUMNS:
        raise TooManyColumns(f"The header has {len(header.cells):,} columns; at most {MAX_COLUMNS:,} are taken.")
    if any("\0" in name for name in header.cells):
        raise NotText("The header has NUL characters, so the file is no text; save it as CSV in UTF-8.")
    layout = Layout(tuple(header.cells), *choose(header.cells, wanted), header.delimiter, text.encoding)
    feed = Feed(head.behind(header), limits.record_chars, before=header.last_line)
    return Table(layout, _rows(feed, layout, limits))


class Header(NamedTuple):
    """The first record, as one delimiter cuts it."""

    cells: list[str]
    delimiter: str
    last_line: int


class Head:
    """The start of a file, kept so that the header can be read again under another delimiter."""

    def __init__(self, lines: Iterator[str], limit: int) -> None:
        self._lines = lines
        self._limit = limit
        # There may be any number of blank lines: they are counted and not kept.
        filled = ((number, line) for number, line in enumerate(lines) if line.strip("\r\n"))
        self._before, first = next(filled, (0, ""))
        self._kept = [first]

    def header(self, delimiter: str) -> Header:
        """The header under this delimiter; reads on only where a quoted name spans lines."""
        feed = Feed(self._from_start(), self._limit, self._before)
        for _, cells in _records(feed, delimiter):
            return Header(cells, delimiter, feed.line)
        raise EmptyFile("The file is empty; send a header and at least one row.")

    def behind(self, header: Header) -> Iterator[str]:
        """All lines after this header."""
        return chain(self._kept[header.last_line - self._before :], self._lines)

    def _from_start(self) -> Iterator[str]:
        yield from list(self._kept)
        for line in self._lines:
            self._kept.append(line)
            yield line


def _header(head: Head, wanted: Wanted) -> Header:
    """The header under the delimiter that shows a text column, and of these the most columns."""
    if wanted.delimiter is not None:
        return head.header(_delimiter(wanted.delimiter))
    headers = []
    for delimiter in _DELIMITERS.values():
        with suppress(RecordTooLong, UnclosedQuote):
            headers.append(head.header(delimiter))
    if not headers:
        return head.header(",")  # says what is wrong
    return max(headers, key=lambda header: (has_text(header.cells, wanted), len(header.cells)))


def _delimiter(name: str) -> str:
    delimiter = _DELIMITERS.get(name.strip(" ").lower(), name)
    if delimiter not in _DELIMITERS.values():
        raise UnknownDelimiter(f"The delimiter {shown(name)} is not read; use comma, semicolon, tab or pipe.")
    return delimiter


def _records(feed: Feed, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The line on which a record begins, and its cells; blank lines are no records."""
    for cells in csv.reader(feed, delimiter=delimiter):
        if feed.ended:
            # `csv` hands out a record as soon as its last line ends. Only within a quote it asks for one line more.
            raise UnclosedQuote(f"The record that begins on line {feed.began:,} has a quote that is never closed.")
        if cells:
            yield feed.began, cells
        feed.end_record()


def _rows(feed: Feed, layout: Layout, limits: Limits) -> Iterator[Row]:
    for index, (line, cells) in enumerate(_records(feed, layout.delimiter)):
        error = _width_error(cells, layout)
        if "\0" in "".join(cells):
            error = error or RowError("nul_character", f"The cell {_nul_place(cells)} has a NUL character.")
            cells = [cell.replace("\0", "\ufffd") for cell in cells]  # noqa: PLW2901  rare, and as PostgreSQL wants it
        caller_id, label = _cell(cells, layout.id), _cell(cells, layout.label)
        text = cells.pop(layout.text) if layout.text < len(cells) else ""
        yield Row(index, line, text, caller_id, label, cells, error or text_error(text, limits.review_chars))


def _width_error(cells: Sequence[str], layout: Layout) -> RowError | None:
    if len(cells) > len(layout.columns):
        return RowError("too_many_fields", f"The record has {len(cells):,} fields; the header {len(layout.columns):,}.")
    if len(cells) <= layout.text:
        return RowError("too_few_fields", f"The record has {len(cells):,} fields; the text is field {layout.text + 1}.")
    return None


def _nul_place(cells: Sequence[str]) -> int:
    return next(place for place, cell in enumerate(cells, 1) if "\0" in cell)


def _cell(cells: Sequence[str], place: int | None) -> str | None:
    """What the record says there, if anything."""
    return cells[place] or None if place is not None and place < len(cells) else None
