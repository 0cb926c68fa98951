"""What a file is like, what its sender said of it, and what is taken: the words between `files` and its callers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict

from files.row import Row

Format = Literal["csv", "ndjson"]
Quoting = Literal["doubled", "backslash", "none"]
EncodingErrors = Literal["strict", "row", "replace"]
NullWords = Literal["empty", "keep"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns as the header has them, and the indices of those that mean something to us."""

    columns: tuple[str, ...]
    text: int
    id: int | None
    label: int | None
    delimiter: str  # what stands between the cells of results
    encoding: str  # as known when the header was read: "utf-8" may turn out to be "windows-1252" further down
    quoting: Quoting = "doubled"
    notes: tuple[str, ...] = ()  # what was recognised beyond a plain header and its rows, a sentence each


@dataclass(frozen=True, slots=True)
class WantedColumns:
    """What the sender said about the file; None is for us to find out."""

    format: Format
    text_column: str | None = None
    id_column: str | None = None
    label_column: str | None = None
    delimiter: str | None = None
    charset: str | None = None
    quoting: Quoting | None = None
    header: str | None = None  # "none", the number of its line, or its first and last line as in "1-2"
    encoding_errors: EncodingErrors = "row"
    null_words: NullWords = "empty"
    needs_label: bool = False  # a column of stars is a label then, and none at all is refused


class Columns(TypedDict, total=False):
    """The options of `Wanted` that tell columns."""

    text_column: str | None
    id_column: str | None
    label_column: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is taken; `bytes` are those of the decompressed file."""

    bytes: int
    rows: int
    review_chars: int
    record_chars: int = 4_000_000


class Decoded(Protocol):
    """The text of a file, piece by piece."""

    encoding: str
    is_damaged: bool

    def __iter__(self) -> Iterator[str]: ...

    def bad_byte(self, text: str) -> str | None:
        """Return a sentence on the first byte of a text that the encoding does not have, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """A file whose header was read; `rows` reads the rest as it is iterated, once."""

    layout: Layout
    rows: Iterator[Row]
    is_table: bool = True  # False: JSON, whose results have columns of our own
