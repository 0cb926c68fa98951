"""A table that is no text, as CSV lines in the one dialect that needs no guess."""

import io
from collections.abc import Iterator, Sequence

from files.csv_out import Writer

DELIMITER = ","


class WrittenText:
    """Lines in the place of a decoded file; `encoding` is the name of the format they came in."""

    is_damaged = False

    def __init__(self, lines: Iterator[str], encoding: str) -> None:
        self._lines = lines
        self.encoding = encoding

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def bad_byte(self, text: str) -> str | None:  # noqa: ARG002  as files.encoding.Text
        """Return None: there are none."""
        return None


def as_line(cells: Sequence[str]) -> str:
    """Return one record with its line end; a row without any filled cell is a blank line, which is no record."""
    if not any(cells):
        return "\n"
    out = io.StringIO()
    Writer(out, DELIMITER, escape=False).record(cells)
    return out.getvalue()
