"""How a CSV file is written: delimiter, quoting and spaces; found from its first records where nobody says it."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from files.columns import folded
from files.contents import MOSTLY, Kind, column_kind, few_values, kind_of
from files.errors import RecordTooLong
from files.layout import Quoting
from files.lines import Feed

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
NUMBERED = {"", "id", "reviewid", "index", "no", "number", "row", "rowid", "unnamed0"}  # first columns; folded
WHOLE_LINE = "\x1f"  # a delimiter that no file has: each line, or quoted part, is one cell
_OTHER_BACKSLASH = re.compile(r'\\([\\"\r\n]|$)|\\')


class Dialect(NamedTuple):
    """What `csv` needs to know; `skips_space` drops spaces before a cell."""

    delimiter: str
    quoting: Quoting = "doubled"
    skips_space: bool = False

    def reader(self, lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
        """Return a reader that raises `csv.Error` at a quote that this dialect does not write."""
        options: dict[str, Any] = {"delimiter": self.delimiter, "skipinitialspace": self.skips_space, "strict": strict}
        if self.quoting == "none":
            return csv.reader(lines, quoting=csv.QUOTE_NONE, **options)
        if self.quoting == "backslash":
            return csv.reader(map(_double_others, lines), escapechar="\\", **options)
        return csv.reader(lines, **options)

    def line(self, line: str) -> list[str] | None:
        """Return the cells of a line that is a whole record, else None."""
        try:
            return next(iter(self.reader([line])), None)
        except csv.Error:
            return None


def _double_others(line: str) -> str:
    """Double each backslash that escapes neither a quote nor a backslash nor a line end, so that `csv` keeps it."""
    if "\\" not in line:
        return line
    return _OTHER_BACKSLASH.sub(lambda found: found[0] if found[1] is not None else "\\\\", line)


class Profile(NamedTuple):
    """What the columns of a table hold: its width, and of each column its kind or its few values, where it has them."""

    width: int
    kinds: tuple[Kind | frozenset[str] | None, ...]
    delimiter: str

    def fits(self, cells: Sequence[str] | None) -> bool:
        """Return whether these cells look like a whole record: as wide as the header, each kind under its column."""
        cells = trimmed(list(cells or ()), self.width)
        if len(cells) != self.width or self.width < 2:
            return False
        if any(self.kinds):
            typed = [_is_of(cell, kind) for cell, kind in zip(cells, self.kinds, strict=True) if kind and cell.strip()]
            return bool(typed) and all(typed)
        # Prose has hardly any tabs and pipes, but commas and semicolons.
        return self.delimiter in "\t|" and sum(bool(cell.strip()) for cell in cells) > 1

    def contradicts(self, cells: Sequence[str]) -> bool:
        """Return whether a filled cell stands under a column of another kind."""
        return any(
            kind is not None and cell.strip() and not _is_of(cell, kind)
            for cell, kind in zip(cells, self.kinds, strict=False)
            if not isinstance(kind, frozenset)
        )


def _is_of(cell: str, kind: Kind | frozenset[str]) -> bool:
    return cell.strip() in kind if isinstance(kind, frozenset) else kind_of(cell) == kind


def profile_of(records: Iterable[Sequence[str]], width: int, delimiter: str) -> Profile:
    """Return the profile of the records that have this width."""
    columns = list(zip(*(cells[:width] for cells in records if len(cells) >= width), strict=True))
    kinds = [column_kind(values) or few_values(values) for values in columns]
    return Profile(width, tuple(kinds) or (None,) * width, delimiter)


def swallows(lines: Sequence[str], profile: Profile) -> bool:
    """Return whether the lines of one record look like records of their own, which an unpaired quote has joined."""
    plain = Dialect(profile.delimiter, "none")
    if any(
        profile.fits(plain.line(line)) or profile.fits(Dialect(profile.delimiter).line(line)) for line in lines[1:-1]
    ):
        return True
    return profile.fits(plain.line(lines[0])) and profile.fits(plain.line(lines[-1]))


class Tried(NamedTuple):
    """A record of the sample as one dialect reads it; `cells` is None where the dialect is broken.

    `is_open` where a quote is still open at the end of the file.
    """

    lines: Sequence[str]
    cells: list[str] | None
    is_open: bool = False


def try_out(lines: Sequence[str], dialect: Dialect, limit: int, *, is_whole: bool) -> Iterator[Tried]:
    """Read the sample; a record that its end cuts is left out unless the sample is the whole file."""
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
    """Return the cells without the empty ones behind the width."""
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    return cells


def has_row_names(tried: Sequence[Tried], header: Sequence[str]) -> bool:
    """Return whether each record has a cell more than the header, and the first ones count the rows, as R has it."""
    width = len(header)
    if any(map(_is_quoted_late, header)):
        return False
    records = [trimmed(each.cells, width + 1) for each in tried if each.cells]
    wide = [cells for cells in records if len(cells) == width + 1 and cells[-1] != ""]
    if folded(header[0]) in NUMBERED and not all(kind_of(cells[1]) for cells in wide):
        return False  # numbers of its own, and a text with a delimiter that should be quoted
    is_rule = len(wide) >= MOSTLY * len(records) > 1
    return is_rule and [cells[0] for cells in wide] == [str(number) for number in range(1, len(wide) + 1)]


def faults(records: Sequence[Tried], width: int, dialect: Dialect) -> int:
    """Return how many records this dialect does not explain."""
    sound = [trimmed(record.cells, width) for record in records if record.cells is not None]
    profile = profile_of(sound, width, dialect.delimiter)
    return sum(_is_fault(record, profile, dialect) for record in records)


def _is_fault(record: Tried, profile: Profile, dialect: Dialect) -> bool:
    if record.cells is None or len(trimmed(record.cells, profile.width)) != profile.width:
        return True
    if dialect.quoting == "none":
        return any(len(cell) > 1 and cell.startswith('"') and cell.endswith('"') for cell in record.cells)
    return (len(record.lines) > 1 and swallows(record.lines, profile)) or any(map(_is_quoted_late, record.cells))


def _is_quoted_late(cell: str) -> bool:
    return cell.startswith(' "')


def is_cut(lines: Sequence[str], delimiter: str) -> bool:
    """Return whether the last cell of a line opens a quote: at the end of the file, this is where it was cut."""
    cells = Dialect(delimiter, "none").line(lines[-1]) or [""]
    return len(lines) == 1 and cells[-1].lstrip().startswith('"')


def _is_open(width: int, records: Sequence[Tried], delimiter: str) -> bool:
    """Whether quotes may only be open because the file is cut, or because a cell of the one column spans lines."""
    broken = [each for each in records if each.cells is None]
    if width == 1:
        return any(each.is_open or len(each.lines) > 1 for each in broken)
    return bool(broken) and all(each.is_open and is_cut(each.lines, delimiter) for each in broken)


def best_dialect(
    delimiter: str, quotings: Sequence[Quoting], read: Callable[[Dialect], tuple[int, Sequence[Tried]]]
) -> Dialect:
    """Return the dialect with the fewest faults; of equals the first, since doubled quotes are the rule.

    Args:
        delimiter: What stands between cells.
        quotings: The kinds of quoting to choose from, the likeliest first.
        read: Gives the width of the header and the records of the sample under a dialect.
    """
    found: dict[Dialect, int] = {}
    for quoting in quotings:
        plain = read(Dialect(delimiter))
        if quoting == "none" and found and _is_open(*plain, delimiter):
            continue
        if quoting == "backslash" and found and not any('\\"' in line for each in plain[1] for line in each.lines):
            continue
        for skips in (False,) if quoting == "none" else (False, True):
            dialect = Dialect(delimiter, quoting, skips)
            width, records = read(dialect)
            found[dialect] = faults(records, width, dialect)
            if not found[dialect]:
                return dialect
    return min(found, key=lambda dialect: found[dialect])
