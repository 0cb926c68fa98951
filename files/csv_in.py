"""CSV: the head that settles the layout, then one row a record.

Parsing is Python's own `csv`, strict: a quote that the dialect does not write is seen, whatever follows it.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from files.columns import choose, folded
from files.contents import is_text
from files.dialect import WHOLE_LINE, Profile, Tried, profile_of, trimmed
from files.errors import AmbiguousColumn, NotText, TooManyColumns, WrongOption, shown
from files.head import Head
from files.header import Found, find
from files.layout import Decoded, Layout, Limits, Table, Wanted
from files.lines import Feed, split_lines
from files.records import Record, read_records
from files.row import Row, RowError, text_error

# The one limit that `csv` has is global to the process and 131,072 characters a cell, less than a long review.
# Ours is a record's and is kept by `Feed`; this only has to be out of its way.
csv.field_size_limit(2**31 - 1)

MAX_COLUMNS = 1_000
ROW_NAMES = "row_name"  # R writes the names of rows under no name
_SECOND_HEADERS = {"openendedresponse", "response"}  # SurveyMonkey; folded
_IMPORT_ID = '{"ImportId"'  # Qualtrics
_NOT_STORABLE = re.compile("[\0\udc00-\udcff]")


def read_csv(text: Decoded, wanted: Wanted, limits: Limits) -> Table:
    """Read the head now, and the rows as they are iterated."""
    head = Head(split_lines(text, limits.record_chars), limits.record_chars)
    found = find(head, wanted)
    if len(found.names) > MAX_COLUMNS:
        raise TooManyColumns(f"The header has {len(found.names):,} columns; at most {MAX_COLUMNS:,} are taken.")
    if any("\0" in name for name in found.names):
        raise NotText("The header has NUL characters, so the file is no text; save it as CSV in UTF-8.")
    tried = head.records(found.dialect, found.end)
    if _has_row_names(tried, len(found.names)):
        found.names.insert(0, ROW_NAMES)
        found.notes.append("The header lacks one name: the first column is taken for the names of the rows.")
    width = len(found.names)
    sample = [trimmed(each.cells, width) for each in tried if each.cells is not None]
    layout = _layout(found, wanted, [cells for cells in sample if len(cells) <= width], text.encoding)
    skipped = _second_headers(sample, layout) if wanted.header is None else 0
    if skipped:
        layout = replace(
            layout, notes=(*layout.notes, f"{skipped} more header lines are left out, which are no reviews.")
        )
    feed = Feed(head.behind(found.end), limits.record_chars, before=head.before + found.end)
    profile = profile_of(sample, width, found.dialect.delimiter)
    records = read_records(feed, found.dialect, profile, is_told=wanted.quoting is not None)
    return Table(layout, _rows(islice(records, skipped, None), layout, profile, Judge(text, wanted, limits)))


def _layout(found: Found, wanted: Wanted, sample: Sequence[Sequence[str]], encoding: str) -> Layout:
    if (wanted.header or "").strip().lower() == "none" and wanted.text_column is None:
        wanted = replace(wanted, text_column=_only_text(found.names, sample))
    chosen = choose(found.names, wanted, sample)
    if wanted.header is None and wanted.text_column and wanted.text_column.strip().isdigit():
        _check_is_header(found.names, chosen.text, sample)
    delimiter = "," if found.dialect.delimiter == WHOLE_LINE else found.dialect.delimiter
    names = tuple(_storable(name) for name in found.names)
    return Layout(names, *chosen, delimiter, encoding, found.dialect.quoting, tuple(found.notes))


def _only_text(names: Sequence[str], sample: Sequence[Sequence[str]]) -> str:
    """The number of the one column that holds texts, in a file without a header."""
    columns = [[cells[place] for cells in sample if place < len(cells)] for place in range(len(names))]
    texts = [place for place, values in enumerate(columns) if is_text(values) or len(names) == 1]
    if len(texts) == 1:
        return str(texts[0] + 1)
    seen = ", ".join(
        f"{place + 1} (such as {shown(columns[place][0] if columns[place] else '')})" for place in texts[:5]
    )
    raise AmbiguousColumn(
        f"The file has no header, and {len(texts)} columns could be the reviews{': ' if texts else ''}{seen}; "
        "say the number of the one that is with text_column."
    )


def _check_is_header(names: Sequence[str], text: int, sample: Sequence[Sequence[str]]) -> None:
    """Refuse a first line that looks like a row where the text column was told by its number."""
    profile = profile_of(sample, len(names), "")
    if (
        (any(profile.kinds) and profile.fits(names))
        or len(names[text]) > 60
        or names[text].rstrip().endswith((".", "!"))
    ):
        raise WrongOption(
            f"The first line looks like a row ({shown(names[text])}); say header=none if it is one, or header=1."
        )


def _has_row_names(tried: Sequence[Tried], width: int) -> bool:
    """Whether each record has a cell more than the header, and the first ones count the rows."""
    records = [each.cells for each in tried if each.cells]
    return bool(records) and all(
        len(cells) == width + 1 and cells[-1] != "" and cells[0] == str(number)
        for number, cells in enumerate(records, 1)
    )


def _second_headers(sample: Sequence[Sequence[str]], layout: Layout) -> int:
    """How many records behind the header belong to it, as survey tools write them."""
    if len(sample) > 1 and any(cell.startswith(_IMPORT_ID) for cell in sample[1]):
        return 2
    first = sample[0] if sample else []
    return int(len(first) > layout.text and folded(first[layout.text]) in _SECOND_HEADERS)


class Judge:
    """What makes a row one that cannot be judged."""

    def __init__(self, text: Decoded, wanted: Wanted, limits: Limits) -> None:
        self._text = text
        self._keeps_null_words = wanted.null_words == "keep"
        self._review_chars = limits.review_chars

    @property
    def has_bad_bytes(self) -> bool:
        """Whether bytes have been met that the encoding does not have."""
        return self._text.is_damaged

    def text_error(self, text: str) -> RowError | None:
        """Return what is wrong with the text, if anything is."""
        return text_error(text, self._review_chars, null_words=self._keeps_null_words)

    def byte_error(self, cells: Sequence[str], line: int) -> RowError | None:
        """Return the error of a record with a byte that the encoding does not have."""
        bad = self._text.bad_byte("".join(cells))
        return RowError("invalid_encoding", f"On line {line:,}: {bad}") if bad else None


def _rows(records: Iterator[Record], layout: Layout, profile: Profile, judge: Judge) -> Iterator[Row]:
    width, in_doubt = len(layout.columns), False
    for index, (line, cells, fault) in enumerate(records):
        error = None
        if fault:
            error, in_doubt = RowError("broken_quotes", fault), True
            cells = [*[""] * layout.text, *cells]  # noqa: PLW2901  the lines as they are, in the place of the text
        elif len(cells) == width:
            in_doubt = False
        else:
            cells, error = _fitted(cells, layout, profile, in_doubt=in_doubt)  # noqa: PLW2901
        if judge.has_bad_bytes and (bad := judge.byte_error(cells, line)):
            error = error or bad
            cells = [_storable(cell) for cell in cells]  # noqa: PLW2901
        if "\0" in "".join(cells):
            error = error or RowError("nul_character", f"The cell {_nul_place(cells)} has a NUL character.")
            cells = [_storable(cell) for cell in cells]  # noqa: PLW2901  rare, and as PostgreSQL wants it
        caller_id, label = _cell(cells, layout.id), _cell(cells, layout.label)
        text = cells.pop(layout.text) if layout.text < len(cells) else ""
        yield Row(index, line, text, caller_id, label, cells, error or judge.text_error(text))


def _fitted(cells: list[str], layout: Layout, profile: Profile, *, in_doubt: bool) -> tuple[list[str], RowError | None]:
    """The cells of a record of another width than the header's, none of them lost, and what is wrong with it."""
    width = len(layout.columns)
    if len(cells) > width:
        if not any(cells[width:]):
            return cells[:width], None
        rest = layout.delimiter.join(cells[width - 1 :])
        hint = (
            "; a backslash before a quote is one with quoting=backslash" if any("\\" in cell for cell in cells) else ""
        )
        detail = f"The record has {len(cells):,} fields; the header {width:,}{hint}."
        return [*cells[: width - 1], rest], RowError("too_many_fields", detail)
    if len(cells) <= layout.text:
        detail = f"The record has {len(cells):,} fields; the text is field {layout.text + 1}."
        return cells, RowError("too_few_fields", detail)
    if in_doubt or profile.contradicts(cells):
        detail = f"The record has {len(cells):,} fields, which do not fit the header's {width:,}; a line may be broken."
        return cells, RowError("too_few_fields", detail)
    return cells, None


def _storable(text: str) -> str:
    return _NOT_STORABLE.sub("\ufffd", text)


def _nul_place(cells: Sequence[str]) -> int:
    return next(place for place, cell in enumerate(cells, 1) if "\0" in cell)


def _cell(cells: Sequence[str], place: int | None) -> str | None:
    """What the record says there, if anything."""
    return cells[place] or None if place is not None and place < len(cells) else None
