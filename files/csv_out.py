"""Results as CSV: the caller's cells and ours behind them; UTF-8, LF. Called by `--local` and by the export."""

import re
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Protocol

from files.layout import Layout

JSON_COLUMNS = ("index", "id", "text")  # stand for the caller's own where the reviews came as JSON or NDJSON
OURS = ("sentiment", "confidence", "status", "error", "model_version")
# A spreadsheet runs a cell that begins so: OWASP's list, which includes the full-width forms.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")

SIGNED_NUMBER = r"[-+][0-9]+([.,][0-9]+)*([eE][-+]?[0-9]+)?%?"  # in the syntax that Python and PostgreSQL share
_NUMBER = re.compile(SIGNED_NUMBER)


def our_names(columns: Iterable[str]) -> tuple[str, ...]:
    """Names of our columns beside the caller's: `verdict_<name>` where the caller has that name, in whatever case."""
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
    """Return the cell with an apostrophe in front if a spreadsheet would run it; a number is left as it is."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) and not _NUMBER.fullmatch(cell) else cell


def own_cells(layout: Layout, text: str, others: Sequence[str]) -> list[str]:
    """The record as it was sent, but exactly as wide as the header, so that our cells stand under our names."""
    cells = [*others[: layout.text], *[""] * (layout.text - len(others)), text, *others[layout.text :]]
    width = len(layout.columns)
    return cells[:width] + [""] * (width - len(cells))


def _quoted(cell: str, delimiter: str) -> str:
    if delimiter in cell or '"' in cell or "\n" in cell or "\r" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell


class Out(Protocol):
    """Where text goes: a file opened with `newline=""`, or anything else that has `write`."""

    def write(self, text: str, /) -> object:
        """Take the text of one record."""
        ...


class Writer:
    """Writes records as `csv.writer` does, five times as fast, and with LF.

    Told to end records with LF, Python's own leaves a cell with CR unquoted before 3.13, and readers cut there.
    """

    def __init__(self, out: Out, delimiter: str = ",", *, escape: bool = True) -> None:
        self._out = out
        self._delimiter = delimiter
        self._escape = escape

    def record(self, cells: Iterable[str]) -> None:
        """Write one record; unless `escape` is off, no cell of it runs as a formula."""
        safe = map(escape_formula, cells) if self._escape else cells
        line = self._delimiter.join([_quoted(cell, self._delimiter) for cell in safe])
        self._out.write(f"{line}\n" if line else '""\n')  # a blank line would be no record
