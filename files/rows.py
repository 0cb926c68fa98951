"""Turn records into rows, and give each record that is not a valid row its error."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from files.layout import Decoded, Layout, Limits, WantedColumns
from files.records import Record
from files.row import MOST_NULL, Row, RowError, text_error
from files.table_profile import Profile

FEW = 5  # up to this many short records may be halves of broken ones; more of them are a habit of the writer
HABIT = 0.8  # with this share of short records, the writer leaves out empty cells at the end of a record
_NOT_STORABLE = re.compile("[\0\udc00-\udcff]")


class RowChecks:
    """The checks of a row that are the same for all records."""

    def __init__(self, text: Decoded, wanted: WantedColumns, limits: Limits) -> None:
        self.text = text
        self.review_chars = limits.review_chars
        self._keeps_null_words = wanted.null_words == "keep"

    def text_error(self, text: str) -> RowError | None:
        """Return the error of the text, or None."""
        return text_error(text, self.review_chars, null_words=self._keeps_null_words)

    def byte_error(self, cells: Sequence[str], line: int) -> RowError | None:
        """Return the error of a record with a byte that could not be decoded, or None."""
        bad = self.text.bad_byte("".join(cells))
        return RowError("invalid_encoding", f"On line {line:,}: {bad}") if bad else None


class Fitter:
    """Fit records to the width of the header without losing cells, and detect records broken over lines."""

    def __init__(self, layout: Layout, profile: Profile, sample: Sequence[Sequence[str]]) -> None:
        self._layout, self._profile = layout, profile
        self._width = len(layout.columns)
        widths = Counter(len(cells) for cells in sample if not any(cells[self._width :]))
        longer = Counter({width: count for width, count in widths.items() if width > self._width})
        # Some writers end each record with empty cells; a record with fewer of them than the others is short, too.
        self._full = longer.most_common(1)[0][0] if 2 * longer.total() > widths.total() else self._width
        short = sum(count for width, count in widths.items() if width < self._width)
        self._is_habit = short >= HABIT * len(sample) and (short >= FEW or layout.text == 0)
        self._was_short = False
        self.is_plain = self._full == self._width  #: whether a record of the header's width needs no fitting
        self.breaks_last = False  #: whether the last record continues the one before

    def fit(self, cells: list[str], fault: str | None) -> tuple[list[str], RowError | None]:
        """Return the cells of a record, at most as many as the header has, and its error or None."""
        after_short, self._was_short, self.breaks_last = self._was_short, False, False
        self.is_plain = self._full == self._width
        if fault:
            # The unchanged lines take the place of the text.
            return [*[""] * self._layout.text, *cells], RowError("broken_quotes", fault)
        if self._width <= len(cells) < self._full and not any(cells[self._width :]):
            self._was_short, self.is_plain = True, False
            return cells[: self._width], self._broken(cells)
        if len(cells) < self._width:
            return self._short(cells)
        rest, cells_of_header = cells[self._width :], cells[: self._width]
        if any(rest) or (rest and self.is_plain and self._may_be_shifted(cells_of_header)):
            return self._too_many(cells)
        # The text is the first cell, and the record before has only one cell: this may be its second half.
        return cells_of_header, self._broken(cells) if after_short and self._layout.text == 0 else None

    def _may_be_shifted(self, cells: Sequence[str]) -> bool:
        """Return whether a delimiter in the text may have shifted the cells after it, the last of which was empty.

        A value of the right kind in one of these columns shows that it has not.
        """
        after = self._layout.text + 1
        return after < self._width and not self._profile.fits_from(after, cells)

    def _too_many(self, cells: list[str]) -> tuple[list[str], RowError]:
        width = self._width
        rest = self._layout.delimiter.join(cells[width - 1 :])
        escaped = any("\\" in cell for cell in cells)
        hint = "; set quoting=backslash if a backslash escapes quotes" if escaped else ""
        detail = f"The record has {len(cells):,} fields; the header has {width:,}{hint}."
        return [*cells[: width - 1], rest], RowError("too_many_fields", detail)

    def _short(self, cells: list[str]) -> tuple[list[str], RowError | None]:
        text = self._layout.text
        if self._is_habit and len(cells) > text and not self._profile.contradicts(cells):
            return cells, None
        self._was_short = len(cells) == 1
        self.breaks_last = text == self._width - 1 and len(cells) == 1
        self.is_plain = False  # the next record may be the other half
        if len(cells) <= text:
            detail = f"The record has {len(cells):,} fields; the text is field {text + 1}."
            return cells, RowError("too_few_fields", detail)
        return cells, self._broken(cells)

    def _broken(self, cells: Sequence[str]) -> RowError:
        return RowError(
            "broken_line",
            f"The record has {len(cells):,} fields and the header {self._width:,}, or it continues the record before; "
            "put texts with line ends in quotes.",
        )


def read_rows(records: Iterator[Record], layout: Layout, fitter: Fitter, checks: RowChecks) -> Iterator[Row]:
    """Yield a row for each record."""
    # A call costs 2 to 4 % of the time of a row, so this loop makes none for a row without peculiarities.
    last: Row | None = None
    width, place, id_place, label_place = len(layout.columns), layout.text, layout.id, layout.label
    decoded, most_chars, new = checks.text, checks.review_chars, tuple.__new__
    for index, (line, raw, fault) in enumerate(records):
        if len(raw) == width and fault is None and fitter.is_plain:
            cells, error = raw, None
        else:
            cells, error = fitter.fit(raw, fault)
        if last is not None:
            yield _cut(last) if fitter.breaks_last and not last.error else last
        if decoded.is_damaged and (bad := checks.byte_error(cells, line)):
            error = error or bad
            cells = [storable(cell) for cell in cells]
        if decoded.has_nul and "\0" in "".join(cells):
            error = error or RowError("nul_character", f"The cell {_nul_place(cells)} has a NUL character.")
            cells = [storable(cell) for cell in cells]  # PostgreSQL stores no NUL; rare
        found = len(cells)
        caller_id = cells[id_place] or None if id_place is not None and id_place < found else None
        label = cells[label_place] or None if label_place is not None and label_place < found else None
        text = cells.pop(place) if place < found else ""
        if error is None and not (MOST_NULL <= len(text) <= most_chars and not text.isspace()):
            error = checks.text_error(text)
        last = new(Row, (index, line, text, caller_id, label, cells, error))  # half the time of Row(…)
    if last is not None:
        yield last


def _cut(row: Row) -> Row:
    detail = (
        "The next line is not a whole record, and so may be the rest of this text; put texts with line ends in quotes."
    )
    return row._replace(error=RowError("broken_line", detail))


def storable(text: str) -> str:
    """Return the text with a replacement character for each that PostgreSQL or UTF-8 cannot hold."""
    return _NOT_STORABLE.sub("\ufffd", text)


def _nul_place(cells: Sequence[str]) -> int:
    return next(place for place, cell in enumerate(cells, 1) if "\0" in cell)
