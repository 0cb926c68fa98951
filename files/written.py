"""Write the rows of a workbook or of Parquet as CSV lines, in one fixed dialect."""

import io
from collections.abc import Iterator, Sequence

from files.csv_out import Writer

DELIMITER = ","


class WrittenText:
    """CSV lines in place of a decoded file; `encoding` is the name of the original format."""

    is_damaged = False
    has_nul = True  # a text of Parquet may have one: every row is checked

    def __init__(self, lines: Iterator[str], encoding: str) -> None:
        self._lines = lines
        self.encoding = encoding

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def bad_byte(self, text: str) -> str | None:  # noqa: ARG002  the signature of files.encoding.Text
        """Return None: every byte was decoded."""
        return None


def as_line(cells: Sequence[str]) -> str:
    """Return one record with its line end; a row of empty cells becomes a blank line, which readers skip."""
    if not any(cells):
        return "\n"
    out = io.StringIO()
    Writer(out, DELIMITER, escape=False).record(cells)
    return out.getvalue()
