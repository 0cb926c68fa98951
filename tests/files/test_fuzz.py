"""Mutated files: rows or a refusal, never another error, and only text that can be stored and shown."""

import gzip
import json
import random
from collections.abc import Iterable, Iterator

import pytest

from files.errors import FileRefused
from files.layout import Limits, WantedColumns
from files.row import Row
from tests.files.reading import table

TABLE = 'id,review,sentiment\n1,"good ""film""<br />\nyes",positive\n2,schön … bad,negative\n3,,\n4,fine;|\tx,1\n' * 3
LINES = "".join(json.dumps(value) + "\n" for value in [{"text": "good\ud800", "id": 1, "label": True}, "bad", None] * 4)
PLAIN = [
    TABLE.encode(),
    TABLE.encode("utf-16"),
    TABLE.encode("windows-1252"),
    TABLE.encode("utf-16-be"),
    LINES.encode(),
]
SEEDS = [*PLAIN, TABLE.replace("\n", "\r").replace(",", ";").encode(), gzip.compress(TABLE.encode())]
SPLICES = [
    *(b'"', b"\n", b"\r", b",", b"\0", b"\0" * 9, b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x81", b"\xc3"),
    *(b"PK\x03\x04", b"PAR1", b"\x1f\x8b\x08", b"{", b"[" * 2000, b"NaN", b"\\ud800", b"\\u0000", b"9" * 5000),
    *(gzip.compress(b'more,"'), gzip.compress(b"")),
]
WANTED = [
    WantedColumns("csv"),
    WantedColumns("ndjson"),
    WantedColumns("csv", text_column="sentiment", id_column="id"),
    WantedColumns("csv", delimiter="tab"),
    WantedColumns("csv", charset="utf-16"),
    WantedColumns("ndjson", charset="latin-1", label_column="id"),
]
LIMITS = Limits(bytes=20_000, rows=30, review_chars=50, record_chars=3000)


def mutated(draw: random.Random) -> bytes:
    """Return a file with a few faults; one in ten is compressed."""
    file = bytearray(draw.choice(SEEDS))
    for _ in range(draw.randint(1, 4)):
        start, end = sorted(draw.randint(0, len(file)) for _ in range(2))
        match draw.choice(["flip", "cut", "drop", "double", "splice", "splice", "mix"]):
            case "flip" if start < len(file):
                file[start] ^= 1 << draw.randrange(8)
            case "cut":
                del file[end:]
            case "drop":
                del file[start:end]
            case "double":
                file[start:start] = file[start:end]
            case "splice":
                file[start:start] = draw.choice(SPLICES)
            case _:
                file[start:end] = draw.choice(SEEDS)[start:end]
    return gzip.compress(file) if draw.random() < 0.1 else bytes(file)


def strings(rows: Iterable[Row]) -> Iterator[str]:
    """Yield all strings of these rows that would be stored."""
    for row in rows:
        yield from [row.text, row.caller_id or "", row.label or "", *row.others, *(row.error or ())]


@pytest.mark.parametrize("seed", range(20))
def test_a_mutated_file_gives_rows_or_a_refusal(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(100):
        file, wanted, size = mutated(draw), draw.choice(WANTED), draw.choice([1, 10, 100_000])
        try:
            found = table(file, wanted, LIMITS, size)
            stored = [*found.layout.columns, *strings(found.rows)]
        except FileRefused as refused:
            stored = [str(refused)]
        assert "\0" not in "".join(stored)
        assert "".join(stored).encode()
