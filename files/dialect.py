"""The dialect of a CSV file: its delimiter, its quoting, and spaces before cells."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from files.layout import Quoting

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
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


def is_cut(lines: Sequence[str], delimiter: str) -> bool:
    """Return whether the last cell of a line opens a quote; at the end of a file it shows that the file was cut."""
    cells = Dialect(delimiter, "none").line(lines[-1]) or [""]
    return len(lines) == 1 and cells[-1].lstrip().startswith('"')


def trimmed(cells: list[str], width: int) -> list[str]:
    """Return the cells without empty ones beyond the width."""
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    return cells
