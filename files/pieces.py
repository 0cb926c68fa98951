"""Chunks of any size → decompressed pieces of about 64 KiB. Called by files.reader, before anything is decoded."""

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from files.errors import CorruptGzip, TooLarge

PIECE_BYTES = 65_536
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's word for "gzip header and trailer, any window"


def plain_pieces(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The file's own bytes, never empty pieces; gzip is known by its first bytes, whatever anybody called it.

    Raises:
        TooLarge: with the first piece that goes over `limit` decompressed bytes.
        CorruptGzip: as soon as it is seen, which may be at the very end.
    """
    pieces = _even(chunks)
    first = next(pieces, b"")
    pieces = chain([first], pieces) if first else pieces
    if first.startswith(_GZIP_MAGIC):
        # Gzip adds at most 5 bytes in 16 KiB to what cannot be compressed; who sends more sends empty members for ever.
        pieces = _even(_gunzip(_capped(pieces, limit + limit // 1000 + PIECE_BYTES)))
    return _capped(pieces, limit)


def _even(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one to two times the size; only the last is smaller, and none is empty."""
    held = bytearray()
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE_BYTES):
            held += chunk[start : start + PIECE_BYTES]
            if len(held) >= PIECE_BYTES:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


def _capped(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    taken = 0
    for piece in pieces:
        taken += len(piece)
        if taken > limit:
            raise TooLarge(f"The file has more than the {limit:,} bytes that are taken; send it in parts.")
        yield piece


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress one member after the other, never more than a piece at a time."""
    member, taken = zlib.decompressobj(_GZIP_WINDOW), 0
    for piece in pieces:
        taken += len(piece)
        waiting = piece
        while waiting:
            if member.eof:
                member = zlib.decompressobj(_GZIP_WINDOW)
            try:
                yield member.decompress(waiting, PIECE_BYTES)
            except zlib.error as error:
                at = taken - len(waiting)
                raise CorruptGzip(f"The gzip data cannot be read near byte {at:,}; compress the file again.") from error
            waiting = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise CorruptGzip(f"The gzip data ends too early, after {taken:,} bytes; send the whole file.")
