"""Split pieces of text into numbered lines, in bounded memory."""

import io
from collections.abc import Iterable, Iterator

from files.errors import RecordTooLong


def split_lines(texts: Iterable[str], limit: int) -> Iterator[str]:
    r"""Yield lines with their ends, which may be LF, CRLF or CR, in any mixture.

    `str.splitlines` would also cut at U+2028, U+0085 and others, which occur inside reviews. A line of more than
    `limit` characters comes in parts, so that memory stays bounded; `Feed` refuses it.
    """
    held: list[str] = []
    size = 0
    for text in _whole_ends(texts):
        cut = 1 + max(text.rfind("\n"), text.rfind("\r"))
        if cut or size > limit:
            yield from io.StringIO("".join([*held, text[:cut]]), newline="")
            held, size = [], 0
        held.append(text[cut:])
        size += len(text) - cut
    yield from io.StringIO("".join(held), newline="")


def _whole_ends(texts: Iterable[str]) -> Iterator[str]:
    """Yield the same text, with a final CR held back until the next piece shows whether LF follows."""
    kept = ""
    for text in texts:
        joined = kept + text
        kept = "\r" if joined.endswith("\r") else ""
        yield joined.removesuffix("\r")
    yield kept


class Feed:
    """Lines for a reader of records; keeps the lines of the current record and the number of its first."""

    def __init__(self, lines: Iterable[str], limit: int, before: int = 0) -> None:
        self.line = before
        self.ended = False
        self.kept: list[str] = []
        self._lines = iter(lines)
        self._limit = limit

    @property
    def began(self) -> int:
        """The number of the first line of the current record."""
        return self.line - len(self.kept) + 1

    def __iter__(self) -> Iterator[str]:
        kept, limit, chars = self.kept, self._limit, 0
        for line in self._lines:
            self.line += 1
            kept.append(line)
            chars = len(line) if len(kept) == 1 else chars + len(line)
            if chars > limit:
                raise RecordTooLong(
                    f"The record that begins on line {self.began:,} has more than {self._limit:,} characters; "
                    "look for a quote that is opened there and never closed, or set quoting=none."
                )
            yield line
        self.ended = True

    def end_record(self) -> None:
        """End the current record; the next line begins another."""
        self.kept.clear()
