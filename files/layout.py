"""What a file is like, what its sender said of it, and what is taken: the words between `files` and its callers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from files.row import Row


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns as the header has them, and the indices of those that mean something to us."""

    columns: tuple[str, ...]
    text: int
    id: int | None
    label: int | None
    delimiter: str
    encoding: str  # as known when the header was read: "utf-8" may turn out to be "windows-1252" further down


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the sender said about the file; None is for us to find out."""

    format: Literal["csv", "ndjson"]
    text_column: str | None = None
    id_column: str | None = None
    label_column: str | None = None
    delimiter: str | None = None
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is taken; `bytes` are those of the decompressed file."""

    bytes: int
    rows: int
    review_chars: int
    record_chars: int = 4_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """A file whose header was read; `rows` reads the rest as it is iterated, once."""

    layout: Layout
    rows: Iterator[Row]
