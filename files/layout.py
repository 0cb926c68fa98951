"""Types shared by `files` and its callers: the layout of a file, the sender's options, the limits, the result."""

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
    """The columns of the header, and the indices of those that Verdict reads."""

    columns: tuple[str, ...]
    text: int
    id: int | None
    label: int | None
    delimiter: str  # results are written with it
    encoding: str  # as known after the header: "utf-8" may turn out to be "windows-1252" further down
    quoting: Quoting = "doubled"
    notes: tuple[str, ...] = ()  # sentences on peculiarities of the file, such as lines before the header


@dataclass(frozen=True, slots=True)
class WantedColumns:
    """The sender's options; None lets the reader find out."""

    format: Format
    text_column: str | None = None
    id_column: str | None = None
    label_column: str | None = None
    delimiter: str | None = None
    charset: str | None = None
    quoting: Quoting | None = None
    header: str | None = None  # "none", the header's line such as "4", or its first and last line as in "1-2"
    encoding_errors: EncodingErrors = "row"
    null_words: NullWords = "empty"
    needs_label: bool = False  # then a column of ratings may be the label, and a file without any label is refused


class Columns(TypedDict, total=False):
    """The options of `WantedColumns` that name columns."""

    text_column: str | None
    id_column: str | None
    label_column: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The maximum sizes of a file; `bytes` counts the decompressed file."""

    bytes: int
    rows: int
    review_chars: int
    record_chars: int = 4_000_000


class Decoded(Protocol):
    """The text of a file, piece by piece."""

    encoding: str
    is_damaged: bool
    has_nul: bool

    def __iter__(self) -> Iterator[str]: ...

    def bad_byte(self, text: str) -> str | None:
        """Return a sentence on the first byte of the text that could not be decoded, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """A file after its header was read; `rows` reads the rest while it is iterated, once."""

    layout: Layout
    rows: Iterator[Row]
    is_table: bool = True  # False for JSON, whose results have columns defined by Verdict
