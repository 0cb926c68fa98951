"""Read JSON values from text, one a line or the elements of one array, in constant memory."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple, NoReturn

from files.errors import NotNdjson, RecordTooLong
from files.lines import Feed, split_lines
from files.row import RowError

_SPACE = re.compile(r"[ \t\r\n]*")


class Value(NamedTuple):
    r"""The value of a line, or the error of a line that is not JSON; `has_escapes` if it contains `\u` escapes."""

    line: int
    content: Any
    has_escapes: bool


def values(texts: Iterable[str], limit: int) -> Iterator[Value]:
    """Yield one value a line, or the elements if the text is an array."""
    pieces = iter(texts)
    start = ""
    for piece in pieces:
        start += piece
        if start.strip() or len(start) > limit:
            break
    pieces = chain([start], pieces)
    # A line may hold a short array of its own; that is an invalid row. This pattern finds an array of rows.
    if re.match(r'\s*\[\s*([{"\]]|$)', start):
        return _elements(pieces, limit)
    return _lines(pieces, limit)


def _lines(pieces: Iterable[str], limit: int) -> Iterator[Value]:
    feed = Feed(split_lines(pieces, limit), limit)
    for line in feed:
        if not line.isspace():
            yield Value(feed.began, _decoded(line), "\\u" in line)
        feed.end_record()


def _decoded(line: str) -> Any:
    try:
        return _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return RowError("invalid_json", f"The line is not JSON: {error.msg} (column {error.colno:,}).")
    except RecursionError:
        return RowError("invalid_json", "The line cannot be read: its JSON is nested too deeply.")
    except ValueError as error:
        return RowError("invalid_json", f"The line cannot be read: {str(error).partition(';')[0]}.")


def _elements(pieces: Iterable[str], limit: int) -> Iterator[Value]:
    """Yield the elements of an array; invalid JSON refuses the file, since nothing marks the next element."""
    window = _Window(pieces, limit)
    window.skip("[")
    is_empty = window.peek() == "]"
    while not is_empty:
        window.peek()
        line = window.line
        content, source = window.value()
        yield Value(line, content, "\\u" in source)
        if window.peek() == "]":
            break
        window.skip(",")
    window.skip("]")
    if window.peek():
        raise NotNdjson(
            f"Something follows the JSON array, on line {window.line:,}; send one array, or one object a line."
        )


class _Window:
    """The part of the text that is being read, and the line on which it begins."""

    def __init__(self, pieces: Iterable[str], limit: int) -> None:
        self._pieces = iter(pieces)
        self._limit = limit
        self._text, self._at = "", 0
        self.line = 1

    def peek(self) -> str:
        """Return the next character after spaces; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            end = space.end() if space else self._at
            self._pass(end)
            if end < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def skip(self, sign: str) -> None:
        """Pass over a required character."""
        if self.peek() != sign:
            fault = f"{sign} is missing" if self.peek() else "the file ends before the array does"
            raise NotNdjson(f"The JSON array cannot be read: {fault}, on line {self.line:,}; send the whole file.")
        self._pass(self._at + 1)

    def value(self) -> tuple[Any, str]:
        """Return the next value, and its source."""
        while True:
            try:
                content, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > self._limit:
                    raise RecordTooLong(
                        f"The element that begins on line {self.line:,} has more than {self._limit:,} characters."
                    ) from error
                if not self._more():
                    raise NotNdjson(f"The JSON array cannot be read: {error.msg}, near line {self.line:,}.") from error
            except (ValueError, RecursionError) as error:
                raise NotNdjson(f"The element on line {self.line:,} of the array is not valid JSON.") from error
            else:
                if end < len(self._text) or not self._more():  # a number may continue in the next piece
                    source = self._text[self._at : end]
                    self._pass(end)
                    return content, source

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._text, self._at = self._text[self._at :] + piece, 0
        return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
