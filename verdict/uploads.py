"""A file on its way to the service: its format, and its bytes piece by piece. Called by verdict.calls."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeAlias, TypedDict

from verdict.errors import UnknownFormat

CHUNK_BYTES = 1 << 18

Source: TypeAlias = str | os.PathLike[str] | BinaryIO | Iterable[bytes]
Format: TypeAlias = Literal["csv", "ndjson"]

SUFFIXES: dict[str, Format] = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".xlsx", ".ods", ".parquet", ".zip"), "csv"),
    **dict.fromkeys((".ndjson", ".jsonl", ".json"), "ndjson"),
}
PACKED = (".gz", ".bz2", ".xz", ".zst")
MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
PACKED_TYPE = "application/gzip"  # the service looks at the bytes: any compression, a workbook, Parquet


class Reading(TypedDict, total=False):
    """How a file is to be read: the options that it, or the service, does not find out."""

    text_column: str | None  #: name, or number from 1, of the column that holds the review
    id_column: str | None  #: of the column that holds your id
    label_column: str | None  #: of the column that holds the true label; the finished job is held against it
    labels: Mapping[str, str] | str | None  #: what its values mean: `{"1": "negative", "5": "positive"}`
    delimiter: str | None  #: `,` `;` `|` or `tab`
    quoting: Literal["doubled", "backslash", "none"] | None  #: how quotes stand within cells
    header: str | int | None  #: `none`, the number of its line, or its first and last line as in `1-2`
    encoding: str | None  #: such as `windows-1252` or `mac-roman`
    encoding_errors: Literal["strict", "row", "replace"] | None  #: what a wrong byte fails: the file, or its row
    null_words: Literal["empty", "keep"] | None  #: a text such as NULL is empty and fails, or is judged


def written(reading: Reading) -> dict[str, str]:
    """Return the options that are given as the service takes them."""
    given = {name: value for name, value in reading.items() if value is not None}
    labels = given.get("labels")
    if isinstance(labels, Mapping):
        given["labels"] = ",".join(f"{value}:{label}" for value, label in labels.items())
    return {name: str(value) for name, value in given.items()}


class Body(NamedTuple):
    """What is sent: `chunks` opens it, `size` is None if it is not known, `is_repeatable` if it can be opened again."""

    chunks: Callable[[], Iterator[bytes]]
    size: int | None
    is_repeatable: bool


class Named(NamedTuple):
    """What a file's name says of it."""

    format: Format
    is_packed: bool = False  #: no text as it is
    delimiter: str | None = None


def body(source: Source, on_sent: Callable[[int], object] | None) -> Body:
    """The bytes of a path, an open file or an iterable; `on_sent` is told how many have been sent."""
    chunks = partial(_counted, source, on_sent or (lambda _: None))
    if isinstance(source, (str, os.PathLike)) and Path(source).is_file():
        return Body(chunks, Path(source).stat().st_size, is_repeatable=True)
    return Body(chunks, None, is_repeatable=False)


def named(source: Source, format: Format | None) -> Named:  # noqa: A002  its name in the API
    """What the name of `source` says; a `format` that is given goes before it.

    Raises:
        UnknownFormat: neither says which it is.
    """
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else str(getattr(source, "name", ""))
    path = Path(name)
    is_packed = path.suffix.lower() in PACKED
    suffix = (path.with_suffix("") if is_packed else path).suffix.lower()
    found = format or SUFFIXES.get(suffix)
    if not found:
        raise UnknownFormat(f"{name or 'a stream'}: the name tells no format; name it with .csv, .ndjson, or give one")
    is_packed = is_packed or suffix in {".xlsx", ".ods", ".parquet", ".zip"}
    return Named(found, is_packed, "\t" if suffix in {".tsv", ".tab"} and found == "csv" else None)


def _counted(source: Source, on_sent: Callable[[int], object]) -> Iterator[bytes]:
    sent = 0
    for chunk in _chunks(source):
        yield chunk
        sent += len(chunk)
        on_sent(sent)


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as file:
            yield from iter(partial(file.read, CHUNK_BYTES), b"")
    else:
        # Read in pieces, since iterating an open binary file gives its lines.
        read = getattr(source, "read", None)
        yield from iter(partial(read, CHUNK_BYTES), b"") if read else source
