"""Find the dialect of a CSV file from its first records."""

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from files.columns import folded, is_numeric
from files.contents import MOSTLY, kind_of
from files.dialect import Dialect, is_cut, trimmed
from files.errors import RecordTooLong
from files.layout import Quoting
from files.lines import Feed
from files.table_profile import Profile, profile_of, swallows

# Names of a first column with row numbers; folded.
NUMBERED = {"", "id", "reviewid", "index", "no", "number", "row", "rowid", "unnamed0"}
FEW_NUMBERS = 5  # in fewer rows, labels and stars may ascend like row numbers


class Tried(NamedTuple):
    """A record of the sample as one dialect reads it; `cells` is None if the dialect cannot read it.

    `is_open`: a quote is still open at the end of the file.
    """

    lines: Sequence[str]
    cells: list[str] | None
    is_open: bool = False


def try_out(lines: Sequence[str], dialect: Dialect, limit: int, *, is_whole: bool) -> Iterator[Tried]:
    """Read the sample; leave out a record cut by its end, unless the sample is the whole file."""
    feed = Feed(lines, limit)
    reader = dialect.reader(feed)
    while True:
        try:
            cells = next(reader, None)
        except RecordTooLong:
            return
        except csv.Error:
            if is_whole or not feed.ended:
                yield Tried(list(feed.kept), None, feed.ended)
        else:
            if cells is None:
                return
            if cells:
                yield Tried(list(feed.kept), cells)
        if feed.ended:
            return
        feed.end_record()


def has_row_names(tried: Sequence[Tried], header: Sequence[str]) -> bool:
    """Return whether each record is one cell wider than the header and begins with its row number, as R writes it."""
    width = len(header)
    if any(map(_is_quoted_late, header)):
        return False
    records = [trimmed(each.cells, width + 1) for each in tried if each.cells]
    wide = [cells for cells in records if len(cells) == width + 1]
    if 2 * sum(cells[-1] != "" for cells in wide) < len(wide):
        return False  # the writer ends records with an empty cell
    if folded(header[0]) in NUMBERED and not all(kind_of(cells[1]) for cells in wide):
        return False  # the header names the numbers; an unquoted delimiter in the text makes the extra cell
    if not len(wide) >= MOSTLY * len(records) > 1 or not all(cells[0].isdecimal() for cells in wide):
        return False
    if is_numeric(header[0]) and len(wide) < FEW_NUMBERS:
        return False  # stars or labels that happen to ascend
    numbers = [int(cells[0][:10]) for cells in wide]
    # Records that this dialect cannot read leave gaps.
    return numbers[0] in {1, 2} and numbers == sorted(set(numbers)) and numbers[-1] <= len(tried)


def faults(records: Sequence[Tried], width: int, dialect: Dialect) -> int:
    """Return how many records this dialect reads wrongly."""
    sound = [trimmed(record.cells, width) for record in records if record.cells is not None]
    profile = profile_of(sound, width, dialect.delimiter)
    return sum(_is_fault(record, profile, dialect) for record in records)


def _is_fault(record: Tried, profile: Profile, dialect: Dialect) -> bool:
    if record.cells is None or len(trimmed(record.cells, profile.width)) != profile.width:
        return True
    if dialect.quoting == "none":
        return any(map(_is_enclosed, record.cells)) or _is_split(record.cells)
    return (len(record.lines) > 1 and swallows(record.lines, profile)) or any(map(_is_quoted_late, record.cells))


def _is_enclosed(cell: str) -> bool:
    return len(cell) > 1 and cell.startswith('"') and cell.endswith('"')


def _is_split(cells: Sequence[str]) -> bool:
    """Return whether a quoted part begins in one cell and ends in a later one, as if a delimiter in it were quoted."""
    opened = next((place for place, cell in enumerate(cells) if cell.startswith('"') and not cell.endswith('"')), None)
    return opened is not None and any(cell.endswith('"') and not cell.startswith('"') for cell in cells[opened + 1 :])


def _is_quoted_late(cell: str) -> bool:
    return cell.startswith(' "')


def _is_open(width: int, records: Sequence[Tried], delimiter: str) -> bool:
    """Return whether open quotes can be explained by a cut file, or by a single column whose cells span lines."""
    broken = [each for each in records if each.cells is None]
    if width == 1:
        return any(each.is_open or len(each.lines) > 1 for each in broken)
    return bool(broken) and all(each.is_open and is_cut(each.lines, delimiter) for each in broken)


def _escapes_without_quotes(delimiter: str, records: Sequence[Tried]) -> bool:
    """Return whether backslashes escape every quote, so that none encloses a cell, or a delimiter or line end."""
    text = "".join(line for each in records for line in each.lines)
    if text.count('"') != text.count('\\"'):
        return False
    return '"' in text or any(f"\\{sign}" in text for sign in (delimiter, "\n", "\r"))


def _exact(width: int, records: Sequence[Tried]) -> int:
    return sum(each.cells is not None and len(each.cells) == width for each in records)


def best_dialect(
    delimiter: str, quotings: Sequence[Quoting], read: Callable[[Dialect], tuple[int, Sequence[Tried]]]
) -> Dialect:
    """Return the dialect with the fewest faults; of equals the first, since most files double their quotes.

    Args:
        delimiter: The character between cells.
        quotings: The ways of quoting to choose from, the likeliest first.
        read: Returns the width of the header and the records of the sample under a dialect.
    """
    found: dict[Dialect, int] = {}
    plain = read(Dialect(delimiter))
    if len(quotings) > 1 and _escapes_without_quotes(delimiter, plain[1]):
        dialect = Dialect(delimiter, "none", escapes=True)
        width, records = read(dialect)
        if width > 1:
            found[dialect] = faults(records, width, dialect)
            has_quotes = any('"' in line for each in records for line in each.lines)
            if not found[dialect] and (has_quotes or _exact(width, records) > _exact(*plain)):
                return dialect
    for quoting in quotings:
        if quoting == "none" and len(quotings) > 1 and _is_open(*plain, delimiter):
            continue
        if (
            quoting == "backslash"
            and len(quotings) > 1
            and not any('\\"' in line for each in plain[1] for line in each.lines)
        ):
            continue
        for skips in (False,) if quoting == "none" else (False, True):
            dialect = Dialect(delimiter, quoting, skips)
            width, records = read(dialect)
            found[dialect] = faults(records, width, dialect)
            if not found[dialect]:
                return dialect
    return min(found, key=lambda dialect: (found[dialect], dialect.escapes))
