"""A file to submit: its format, and its bytes piece by piece."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeAlias, TypedDict

from verdict import arguments
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
PACKED_TYPE = "application/gzip"  # the service detects the real type: any compression, a workbook, Parquet


class Reading(TypedDict, total=False):
    """How to read a file: options in place of the detection by the service."""

    text_column: str | None  #: name, or number from 1, of the column that holds the review
    id_column: str | None  #: of the column that holds your id
    label_column: str | None  #: of the column that holds the true label, for the evaluation of the job
    labels: Mapping[str, str] | str | None  #: meaning of its values: `{"1": "negative", "5": "positive"}`
    delimiter: str | None  #: `,` `;` `|` or `tab`
    quoting: Literal["doubled", "backslash", "none"] | None  #: how cells write a quote
    header: str | int | None  #: `none`, the number of its line, or its first and last line as in `1-2`
    encoding: str | None  #: such as `windows-1252` or `mac-roman`
    encoding_errors: (
        Literal["strict", "row", "replace"] | None
    )  #: an undecodable byte fails the file, fails its row, or is replaced
    null_words: Literal["empty", "keep"] | None  #: a text such as NULL counts as empty and fails, or is classified


def written(reading: Reading) -> dict[str, str]:
    """Return the given options as query parameters.

    Raises:
        TypeError: an option does not exist; without this check a mistyped one would be ignored.
    """
    if unknown := reading.keys() - Reading.__annotations__.keys():
        raise TypeError(f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(Reading.__annotations__)}")
    given = {name: value for name, value in reading.items() if value is not None}
    labels = given.get("labels")
    if isinstance(labels, Mapping):
        given["labels"] = ",".join(f"{value}:{label}" for value, label in labels.items())
    return {name: str(value) for name, value in given.items()}


class Body(NamedTuple):
    """A request body: `chunks` opens it, `size` in bytes may be unknown, `is_repeatable` if it can be opened again."""

    chunks: Callable[[], Iterator[bytes]]
    size: int | None
    is_repeatable: bool


class Named(NamedTuple):
    """The properties that the name of a file tells."""

    format: Format
    is_packed: bool = False  #: compressed, or a binary format
    delimiter: str | None = None


def body(source: Source, on_sent: Callable[[int], object] | None) -> Body:
    """Return the body of a path, an open file or an iterable; `on_sent` receives the number of bytes sent so far."""
    chunks = partial(_counted, source, on_sent or (lambda _: None))
    if isinstance(source, (str, os.PathLike)) and Path(source).is_file():
        return Body(chunks, Path(source).stat().st_size, is_repeatable=True)
    return Body(chunks, None, is_repeatable=False)


def named(source: Source, format: Format | None) -> Named:  # noqa: A002  its name in the API
    """Return the properties that the name of `source` tells; a given `format` has precedence.

    Raises:
        UnknownFormat: neither tells the format.
        ValueError: `format` is neither csv nor ndjson.
    """
    if format is not None and format not in MEDIA_TYPES:
        raise ValueError(f"format must be csv or ndjson, not {format!r}")
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else str(getattr(source, "name", ""))
    path = Path(name)
    is_packed = path.suffix.lower() in PACKED
    suffix = (path.with_suffix("") if is_packed else path).suffix.lower()
    found = format or SUFFIXES.get(suffix)
    if not found:
        raise UnknownFormat(
            f"{name or 'a stream'}: the name tells no format; name the file with .csv or .ndjson, or give format="
        )
    is_packed = is_packed or suffix in {".xlsx", ".ods", ".parquet", ".zip"}
    return Named(found, is_packed, "\t" if suffix in {".tsv", ".tab"} and found == "csv" else None)


def _counted(source: Source, on_sent: Callable[[int], object]) -> Iterator[bytes]:
    sent = 0
    for piece in _pieces(source):
        chunk = arguments.chunk(piece)
        yield chunk
        sent += len(chunk)
        on_sent(sent)


def not_empty(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks; raise ValueError at the end if they hold no byte."""
    is_empty = True
    for chunk in chunks:
        is_empty = is_empty and not chunk
        yield chunk
    if is_empty:
        raise ValueError("source is empty; a job needs at least one review")


def _pieces(source: Source) -> Iterator[bytes]:
    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as file:
            yield from iter(partial(file.read, CHUNK_BYTES), b"")
    else:
        # Iterating an open binary file would give lines, which are shorter.
        read = getattr(source, "read", None)
        yield from iter(partial(read, CHUNK_BYTES), b"") if read else source
