"""Write results as CSV: the caller's cells, then those of Verdict; UTF-8, lines end with LF."""

import re
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Protocol

from files.layout import Layout

JSON_COLUMNS = ("index", "id", "text")  # take the place of the caller's columns if the reviews came as JSON
BYTE_ORDER_MARK = "\ufeff"  # Excel opens a CSV file as UTF-8 only if it begins with this mark
OURS = ("sentiment", "confidence", "status", "error", "model_version")
# A spreadsheet runs a cell with one of these starts as a formula: OWASP's list, with the full-width forms.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")

SIGNED_NUMBER = r"[-+][0-9]+([.,][0-9]+)*([eE][-+]?[0-9]+)?%?"  # valid in Python and in PostgreSQL
_NUMBER = re.compile(SIGNED_NUMBER)


def our_names(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the names of Verdict's columns; `verdict_<name>` where the caller has that name in any case."""
    taken = {column.strip(" ").casefold() for column in columns}
    names: list[str] = []
    for name in OURS:
        free = name
        for number in count(1):
            if free not in taken:
                break
            free = f"verdict_{name}" if number == 1 else f"verdict_{name}_{number}"
        taken.add(free)
        names.append(free)
    return tuple(names)


def escape_formula(cell: str) -> str:
    """Return the cell, with an apostrophe in front if a spreadsheet would run it; numbers are not changed."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) and not _NUMBER.fullmatch(cell) else cell


def own_cells(layout: Layout, text: str, others: Sequence[str]) -> list[str]:
    """Return the record as it was sent, cut or filled to the width of the header."""
    cells = [*others[: layout.text], *[""] * (layout.text - len(others)), text, *others[layout.text :]]
    width = len(layout.columns)
    return cells[:width] + [""] * (width - len(cells))


def _quoted(cell: str, delimiter: str) -> str:
    if delimiter in cell or '"' in cell or "\n" in cell or "\r" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell


class Out(Protocol):
    """The target: a file opened with `newline=""`, or any object with `write`."""

    def write(self, text: str, /) -> object:
        """Write the text of one record."""
        ...


class Writer:
    """Write records as `csv.writer` does, five times as fast.

    Before Python 3.13, `csv.writer` with LF as its line end leaves a cell with CR unquoted, and readers cut there.
    """

    def __init__(self, out: Out, delimiter: str = ",", *, escape: bool = True) -> None:
        self._out = out
        self._delimiter = delimiter
        self._escape = escape

    def record(self, cells: Iterable[str]) -> None:
        """Write one record; unless `escape` is off, no cell runs as a formula."""
        safe = map(escape_formula, cells) if self._escape else cells
        line = self._delimiter.join([_quoted(cell, self._delimiter) for cell in safe])
        self._out.write(f"{line}\n" if line else '""\n')  # readers skip a blank line
