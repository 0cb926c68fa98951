"""A file on its way to the service: its format, and its bytes piece by piece. Called by verdict.calls."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeAlias

from verdict.errors import UnknownFormat

CHUNK_BYTES = 1 << 18

Source: TypeAlias = str | os.PathLike[str] | BinaryIO | Iterable[bytes]
Format: TypeAlias = Literal["csv", "ndjson"]

SUFFIXES: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


class Body(NamedTuple):
    """What is sent: `chunks` opens it, `size` is None if it is not known, `is_repeatable` if it can be opened again."""

    chunks: Callable[[], Iterator[bytes]]
    size: int | None
    is_repeatable: bool


class Named(NamedTuple):
    """What a file's name says of it."""

    format: Format
    is_gzip: bool = False
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
    is_gzip = path.suffix.lower() == ".gz"
    suffix = (path.with_suffix("") if is_gzip else path).suffix.lower()
    found = format or SUFFIXES.get(suffix)
    if not found:
        raise UnknownFormat(f"{name or 'a stream'}: the name tells no format; name it with .csv, .ndjson, or give one")
    return Named(found, is_gzip, "\t" if suffix == ".tsv" and found == "csv" else None)


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
