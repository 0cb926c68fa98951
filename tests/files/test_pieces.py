"""Chunks of any size, compressed or not, and the limits that keep memory bounded."""

import gzip
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat

import pytest

from files.errors import CorruptArchive, NotText, TooLarge
from files.pieces import PIECE_BYTES, plain_pieces
from tests.files.reading import LIMITS, NDJSON, chunks, refusal, rows, texts

FILE = b"review\nfine\nbad\n"
PACKED = gzip.compress(FILE)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("file", [FILE, PACKED], ids=["plain", "gzip"])
def test_a_file_may_come_in_chunks_of_any_size(file: bytes, size: int) -> None:
    assert [row.text for row in rows(file, size=size)] == ["fine", "bad"]


def test_empty_chunks_change_nothing() -> None:
    assert b"".join(plain_pieces([b"", FILE[:3], b"", FILE[3:], b""], 100)) == FILE


def test_one_huge_chunk_is_taken_in_small_pieces() -> None:
    pieces = list(plain_pieces([bytes(1_000_000)], 1_000_000))
    assert sum(map(len, pieces)) == 1_000_000
    assert max(map(len, pieces)) < 2 * PIECE_BYTES


def test_gzip_may_have_several_members() -> None:
    assert texts(gzip.compress(FILE[:9]) + gzip.compress(b"") + gzip.compress(FILE[9:])) == ["fine", "bad"]


def test_ndjson_may_be_gzip_too() -> None:
    assert texts(gzip.compress(b'"fine"\n'), NDJSON) == ["fine"]


@pytest.mark.parametrize("end", range(2, len(PACKED)))
def test_gzip_that_is_cut_anywhere_is_refused(end: int) -> None:
    assert "ends too early" in refusal(CorruptArchive, PACKED[:end])


def test_a_cut_between_two_members_is_not_seen_but_within_the_second_is() -> None:
    assert texts(PACKED) == ["fine", "bad"]
    assert "ends too early" in refusal(CorruptArchive, PACKED + gzip.compress(b"more\n")[:-1])


@pytest.mark.parametrize("junk", [b"x", b"review\nfine\n", b"\0" * 8])
def test_gzip_with_something_behind_it_is_refused(junk: bytes) -> None:
    message = refusal(CorruptArchive, PACKED + junk)
    assert "ends too early" in message or f"near byte {len(PACKED)}" in message


def test_gzip_with_a_wrong_checksum_is_refused() -> None:
    assert "is damaged near byte" in refusal(CorruptArchive, PACKED[:-8] + bytes(4) + PACKED[-4:])


def test_a_file_that_was_compressed_twice_is_refused() -> None:
    assert "compressed twice" in refusal(NotText, gzip.compress(PACKED))


@pytest.mark.parametrize("file", [FILE, PACKED], ids=["plain", "gzip"])
def test_the_limit_counts_decompressed_bytes(file: bytes) -> None:
    assert len(rows(file, limits=replace(LIMITS, bytes=len(FILE)))) == 2
    assert f"more than {len(FILE) - 1} bytes" in refusal(TooLarge, file, limits=replace(LIMITS, bytes=len(FILE) - 1))


def test_a_gzip_bomb_is_refused_after_a_few_pieces() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(b"review\n") + b"".join(
        packer.compress(line) for line in repeat(b"a" * 999_999 + b"\n", 200)
    )
    taken = 0

    def sent() -> Iterator[bytes]:
        nonlocal taken
        for chunk in chunks(bomb, 1000):
            taken += len(chunk)
            yield chunk

    with pytest.raises(TooLarge):
        deque(plain_pieces(sent(), 1_000_000), maxlen=0)
    assert taken <= 2 * PIECE_BYTES


def test_members_that_hold_nothing_are_counted_too() -> None:
    with pytest.raises(TooLarge):
        list(plain_pieces(repeat(gzip.compress(b"") * 100), 100_000))
