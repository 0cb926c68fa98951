"""Read CSV: the first lines settle the layout, then every record becomes a row.

Python's `csv` parses in strict mode, so that a misplaced quote raises an error instead of changing the cells.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from files.columns import choose, folded, number_of
from files.contents import is_text
from files.dialect import WHOLE_LINE, trimmed
from files.errors import AmbiguousColumn, NotText, TooManyColumns, WrongOption, shown
from files.head import Head
from files.header import Found, find
from files.layout import Decoded, Layout, Limits, Table, WantedColumns
from files.lines import Feed, split_lines
from files.records import read_records
from files.rows import Fitter, RowChecks, read_rows, storable
from files.sniffing import has_row_names
from files.table_profile import profile_of

# The limit of `csv` is global to the process and 131,072 characters a cell by default, less than a long review.
# `Feed` limits the length of a record instead.
csv.field_size_limit(2**31 - 1)

MAX_COLUMNS = 1_000
ROW_NAMES = "row_name"  # R writes row names without a name for their column
_SECOND_HEADERS = {"openendedresponse", "response"}  # SurveyMonkey; folded
_IMPORT_ID = '{"ImportId"'  # Qualtrics


def read_csv(text: Decoded, wanted: WantedColumns, limits: Limits) -> Table:
    """Read the first lines now, and the rows as they are iterated."""
    head = Head(split_lines(text, limits.record_chars), limits.record_chars)
    found = find(head, wanted)
    if len(found.names) > MAX_COLUMNS:
        raise TooManyColumns(f"The header has {len(found.names):,} columns; at most {MAX_COLUMNS:,} are accepted.")
    if any("\0" in name for name in found.names):
        raise NotText("The header has NUL characters, so the file is not text; save it as CSV in UTF-8.")
    tried = head.records(found.dialect, found.end)
    if has_row_names(tried, found.names):
        found.names.insert(0, ROW_NAMES)
        found.notes.append("The header lacks one name; the first column is read as row names.")
    width = len(found.names)
    sample = [trimmed(each.cells, width) for each in tried if each.cells is not None]
    layout = _layout(found, wanted, [cells for cells in sample if len(cells) <= width], text.encoding)
    skipped = _second_headers(sample, layout) if wanted.header is None else 0
    if skipped:
        layout = replace(layout, notes=(*layout.notes, f"{skipped} more header lines are left out."))
    feed = Feed(head.behind(found.end), limits.record_chars, before=head.before + found.end)
    exact = [each.cells for each in tried if each.cells and len(each.cells) == width]
    profile = profile_of(exact if 2 * len(exact) >= len(sample) else sample, width, found.dialect.delimiter)
    records = read_records(feed, found.dialect, profile, is_given=wanted.quoting is not None)
    fitter = Fitter(layout, profile, [each.cells for each in tried[skipped:] if each.cells is not None])
    return Table(layout, read_rows(islice(records, skipped, None), layout, fitter, RowChecks(text, wanted, limits)))


def _layout(found: Found, wanted: WantedColumns, sample: Sequence[Sequence[str]], encoding: str) -> Layout:
    if (wanted.header or "").strip().lower() == "none" and wanted.text_column is None:
        wanted = replace(wanted, text_column=_only_text(found.names, sample))
    chosen = choose(found.names, wanted, sample)
    if wanted.header is None and number_of(wanted.text_column):
        _check_is_header(found.names, chosen.text, sample)
    delimiter = "," if found.dialect.delimiter == WHOLE_LINE else found.dialect.delimiter
    names = tuple(storable(name) for name in found.names)
    return Layout(names, *chosen, delimiter, encoding, found.dialect.quoting, tuple(found.notes))


def _only_text(names: Sequence[str], sample: Sequence[Sequence[str]]) -> str:
    """Return the number of the only column of texts in a file without a header."""
    columns = [[cells[place] for cells in sample if place < len(cells)] for place in range(len(names))]
    texts = [place for place, values in enumerate(columns) if is_text(values) or len(names) == 1]
    if len(texts) == 1:
        return str(texts[0] + 1)
    seen = ", ".join(
        f"{place + 1} (such as {shown(columns[place][0] if columns[place] else '')})" for place in texts[:5]
    )
    raise AmbiguousColumn(
        f"The file has no header, and {len(texts)} columns could hold the reviews{': ' if texts else ''}{seen}; "
        "give the number of the right one with text_column."
    )


def _check_is_header(names: Sequence[str], text: int, sample: Sequence[Sequence[str]]) -> None:
    """Refuse a first line that looks like a row; called where the text column is given by its number."""
    profile = profile_of(sample, len(names), "")
    if (
        (any(profile.kinds) and profile.fits(names))
        or len(names[text]) > 60
        or names[text].rstrip().endswith((".", "!"))
    ):
        raise WrongOption(
            f"The first line looks like a row ({shown(names[text])}); set header=none if it is one, or header=1 if not."
        )


def _second_headers(sample: Sequence[Sequence[str]], layout: Layout) -> int:
    """Return how many records after the header belong to it; survey tools write one or two."""
    if len(sample) > 1 and any(cell.startswith(_IMPORT_ID) for cell in sample[1]):
        return 2
    first = sample[0] if sample else []
    return int(len(first) > layout.text and folded(first[layout.text]) in _SECOND_HEADERS)
