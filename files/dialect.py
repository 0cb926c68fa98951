"""The dialect of a CSV file, its delimiter, quoting and spaces; found from the first records unless it is given."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from files.columns import folded, is_numeric
from files.contents import MOSTLY, Kind, column_kind, few_values, kind_of
from files.errors import RecordTooLong
from files.layout import Quoting
from files.lines import Feed

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
# Names of a first column with row numbers; folded.
NUMBERED = {"", "id", "reviewid", "index", "no", "number", "row", "rowid", "unnamed0"}
FEW_NUMBERS = 5  # in fewer rows, labels and stars may ascend like row numbers
WHOLE_LINE = "\x1f"  # a delimiter that occurs in no file: each line or quoted part is one cell
_OTHER_BACKSLASH = re.compile(r'\\([\\"\r\n]|$)|\\')
_UNQUOTED_BACKSLASH = re.compile(r'\\([\\",;|\t\r\n]|$)|\\')


class Dialect(NamedTuple):
    """The options for `csv`.

    `skips_space` drops spaces before a cell. `escapes` goes with quoting `none`: a backslash before a delimiter, a
    quote or a line end makes it a plain character, as MySQL writes files.
    """

    delimiter: str
    quoting: Quoting = "doubled"
    skips_space: bool = False
    escapes: bool = False

    def reader(self, lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
        """Return a reader that raises `csv.Error` at a quote that this dialect does not write."""
        options: dict[str, Any] = {"delimiter": self.delimiter, "skipinitialspace": self.skips_space, "strict": strict}
        if self.quoting == "none":
            if self.escapes:
                lines, options["escapechar"] = (_double_others(line, _UNQUOTED_BACKSLASH) for line in lines), "\\"
            return csv.reader(lines, quoting=csv.QUOTE_NONE, **options)
        if self.quoting == "backslash":
            return csv.reader((_double_others(line, _OTHER_BACKSLASH) for line in lines), escapechar="\\", **options)
        return csv.reader(lines, **options)

    def line(self, line: str) -> list[str] | None:
        """Return the cells of a line that is a whole record, else None."""
        try:
            return next(iter(self.reader([line])), None)
        except csv.Error:
            return None


def _double_others(line: str, backslash: re.Pattern[str]) -> str:
    """Double each backslash before a character that it does not escape, so that `csv` keeps it."""
    if "\\" not in line:
        return line
    return backslash.sub(lambda found: found[0] if found[1] is not None else "\\\\", line)


class Profile(NamedTuple):
    """The shape of a table: its width, and for each column its kind or its distinct values, if it has either."""

    width: int
    kinds: tuple[Kind | frozenset[str] | None, ...]
    delimiter: str

    def fits(self, cells: Sequence[str] | None) -> bool:
        """Return whether the cells look like a whole record: as wide as the header, and of their columns' kinds."""
        cells = trimmed(list(cells or ()), self.width)
        if len(cells) != self.width or self.width < 2:
            return False
        if any(self.kinds):
            typed = [_is_of(cell, kind) for cell, kind in zip(cells, self.kinds, strict=True) if kind and cell.strip()]
            return bool(typed) and all(typed)
        # Prose contains commas and semicolons, but hardly any tabs or pipes.
        return self.delimiter in "\t|" and sum(bool(cell.strip()) for cell in cells) > 1

    def contradicts(self, cells: Sequence[str]) -> bool:
        """Return whether a filled cell is of another kind than its column."""
        return any(
            kind is not None and cell.strip() and not _is_of(cell, kind)
            for cell, kind in zip(cells, self.kinds, strict=False)
            if not isinstance(kind, frozenset)
        )

    def fits_from(self, first: int, cells: Sequence[str]) -> bool:
        """Return whether the cells from column `first` on are of their columns' kinds, one of them filled at least."""
        typed = [
            _is_of(cell, kind) for cell, kind in zip(cells[first:], self.kinds[first:], strict=True) if kind and cell
        ]
        return bool(typed) and all(typed)


def _is_of(cell: str, kind: Kind | frozenset[str]) -> bool:
    return cell.strip() in kind if isinstance(kind, frozenset) else kind_of(cell) == kind


def profile_of(records: Iterable[Sequence[str]], width: int, delimiter: str) -> Profile:
    """Return the profile of the records that are at least this wide."""
    columns = list(zip(*(cells[:width] for cells in records if len(cells) >= width), strict=True))
    kinds = [column_kind(values) or few_values(values) for values in columns]
    return Profile(width, tuple(kinds) or (None,) * width, delimiter)


def swallows(lines: Sequence[str], profile: Profile) -> bool:
    """Return whether lines of this record look like whole records that an unpaired quote has joined."""
    plain = Dialect(profile.delimiter, "none")
    if any(
        profile.fits(plain.line(line)) or profile.fits(Dialect(profile.delimiter).line(line)) for line in lines[1:-1]
    ):
        return True
    return profile.fits(plain.line(lines[0])) and profile.fits(plain.line(lines[-1]))


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


def trimmed(cells: list[str], width: int) -> list[str]:
    """Return the cells without empty ones beyond the width."""
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    return cells


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


def is_cut(lines: Sequence[str], delimiter: str) -> bool:
    """Return whether the last cell of a line opens a quote; at the end of a file it shows that the file was cut."""
    cells = Dialect(delimiter, "none").line(lines[-1]) or [""]
    return len(lines) == 1 and cells[-1].lstrip().startswith('"')


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
