"""Decompress chunks of any size into pieces of about 64 KiB."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, Protocol

from backports import zstd

from files.errors import CorruptArchive, TooLarge

PIECE_BYTES = 65_536
_GZIP_WINDOW = 31  # zlib's value for a gzip header and trailer with any window size
_MOST_MEMORY = 1 << 27  # bytes that decompressing xz or Zstandard may take


class _Member(Protocol):
    """One compressed stream: the interface that bz2, lzma and zstd share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib under the interface of the others."""

    needs_input = True
    unused_data = b""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    def decompress(self, data: bytes, max_length: int) -> bytes:
        found = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = not self._zlib.unconsumed_tail
        self.unused_data = self._zlib.unused_data
        return found


class Compression(NamedTuple):
    """A compression: its name for messages, its first bytes, and its decompressor."""

    name: str
    magic: bytes
    member: Callable[[], _Member]


def _zstandard() -> _Member:
    member: _Member = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 27})
    return member


COMPRESSIONS = (
    Compression("gzip", b"\x1f\x8b", _Gzip),
    Compression("bzip2", b"BZh", bz2.BZ2Decompressor),
    Compression("xz", b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)),
    Compression("Zstandard", b"\x28\xb5\x2f\xfd", _zstandard),
)
_ERRORS = (zlib.error, OSError, ValueError, EOFError, lzma.LZMAError, zstd.ZstdError)


def plain_pieces(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the decompressed bytes, never empty pieces; the first bytes show the compression, not the file's name.

    Raises:
        TooLarge: the file has more than `limit` decompressed bytes; raised at the first piece beyond.
        CorruptArchive: the compressed data is damaged or cut; raised where it is found, perhaps at the end.
    """
    pieces = even(chunks)
    first = next(pieces, b"")
    pieces = chain([first], pieces) if first else pieces
    for compression in COMPRESSIONS:
        if first.startswith(compression.magic):
            # Compression adds little to incompressible bytes; the cap stops endless empty members.
            pieces = even(_decompressed(capped(pieces, limit + limit // 100 + PIECE_BYTES), compression))
            break
    return capped(pieces, limit)


def even(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of 64 to 128 KiB; only the last is smaller, and none is empty."""
    held = bytearray()
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE_BYTES):
            held += chunk[start : start + PIECE_BYTES]
            if len(held) >= PIECE_BYTES:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


def capped(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Yield the same pieces; raise TooLarge at the first beyond the limit."""
    taken = 0
    for piece in pieces:
        taken += len(piece)
        if taken > limit:
            raise TooLarge(f"The file has more than {limit:,} bytes, the most that is accepted; split it.")
        yield piece


def _decompressed(pieces: Iterator[bytes], compression: Compression) -> Iterator[bytes]:
    """Decompress one member after the other, at most one piece at a time."""
    member, taken, name = compression.member(), 0, compression.name
    for piece in pieces:
        taken += len(piece)
        waiting = piece
        while waiting or not (member.needs_input or member.eof):
            if member.eof:
                member = compression.member()
            try:
                yield member.decompress(waiting, PIECE_BYTES)
            except _ERRORS as error:
                at = taken - len(waiting)
                raise CorruptArchive(
                    f"The {name} data is damaged near byte {at:,}; compress the file again."
                ) from error
            waiting = member.unused_data if member.eof else b""
    if not member.eof:
        raise CorruptArchive(f"The {name} data ends too early, after {taken:,} bytes; send the whole file.")
