"""The first lines of a CSV file, kept so that they can be read under one dialect after another."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from files.dialect import Dialect, trimmed
from files.errors import EmptyFile, UnclosedQuote
from files.lines import Feed
from files.sniffing import Tried, try_out

SAMPLE_LINES = 200
SAMPLE_CHARS = 1_000_000  # also the most that a header may have


class Header(NamedTuple):
    """A record that may be the header, as one dialect reads it; `end` is the index of the line after it."""

    cells: list[str]
    dialect: Dialect
    start: int
    end: int


class Head:
    """The first lines of a file, from the first filled one on; `before` counts the blank lines before it."""

    def __init__(self, lines: Iterator[str], limit: int) -> None:
        self._rest = lines
        self._limit = min(limit, SAMPLE_CHARS)
        filled = ((number, line) for number, line in enumerate(lines) if line.strip("\r\n"))
        self.before, first = next(filled, (0, ""))
        if not first:
            raise EmptyFile("The file is empty; send a header and at least one row.")
        self.lines = [first]
        chars = len(first)
        while len(self.lines) < SAMPLE_LINES and chars < SAMPLE_CHARS:
            line = next(lines, None)
            if line is None:
                break
            self.lines.append(line)
            chars += len(line)
        self.is_whole = len(self.lines) < SAMPLE_LINES and chars < SAMPLE_CHARS

    def number(self, index: int) -> int:
        """Return the line number in the file, from 1, of a kept line."""
        return self.before + index + 1

    def header(self, dialect: Dialect, start: int) -> Header | None:
        """Return the record that begins on this line, or None if the dialect cannot read it."""
        feed = Feed(self.lines[start:], self._limit, self.before + start)
        try:
            for cells in dialect.reader(feed):
                if cells:
                    return Header(cells, dialect, start, feed.line - self.before)
        except csv.Error:
            return None
        return None

    def whole_header(self, dialect: Dialect, start: int, *, is_given: bool) -> Header:
        """Return the header under the chosen dialect; `is_given` if the sender named the quoting.

        Raises:
            UnclosedQuote: a quote of the header is never closed.
        """
        header = self.header(dialect, start)
        if dialect.quoting == "none" and not is_given and not self.header(Dialect(dialect.delimiter), start):
            header = None
        if header is None:
            raise UnclosedQuote(
                f"The header that begins on line {self.number(start):,} has a quote that is never closed, or that ends "
                "within a cell; mend it, or set quoting=none."
            )
        return header

    def records(self, dialect: Dialect, start: int) -> list[Tried]:
        """Return the records among the kept lines, from this line on."""
        return list(try_out(self.lines[start:], dialect, self._limit, is_whole=self.is_whole))

    def consistency(self, header: Header) -> float:
        """Return the share of records that are as wide as this header; 1 if there are none."""
        records = self.records(header.dialect, header.end)
        width = len(header.cells)
        same = sum(record.cells is not None and len(trimmed(record.cells, width)) == width for record in records)
        return same / len(records) if records else 1.0

    def behind(self, index: int) -> Iterator[str]:
        """Return all lines of the file from this kept line on."""
        return chain(self.lines[index:], self._rest)


def modal_width(records: Sequence[Tried]) -> tuple[int, float]:
    """Return the most frequent width of the records and its share."""
    widths = [len(record.cells) for record in records if record.cells]
    if not widths:
        return 1, 0.0
    width = max(set(widths), key=lambda each: (widths.count(each), each))
    return width, widths.count(width) / len(records)
