"""Read a file given as text or bytes, in chunks of a chosen size."""

from collections.abc import Iterator

import pytest

from files.errors import FileRefused
from files.layout import Limits, Table, WantedColumns
from files.reader import read
from files.row import Row

LIMITS = Limits(bytes=10_000_000, rows=10_000, review_chars=10_000)
CSV = WantedColumns("csv")
NDJSON = WantedColumns("ndjson")


def chunks(file: bytes, size: int = 1_000_000) -> Iterator[bytes]:
    """Yield the file in chunks, as a client sends it."""
    return (file[start : start + size] for start in range(0, len(file), size))


def table(file: str | bytes, wanted: WantedColumns = CSV, limits: Limits = LIMITS, size: int = 1_000_000) -> Table:
    """Read the header of the file."""
    return read(chunks(file.encode() if isinstance(file, str) else file, size), wanted, limits)


def rows(file: str | bytes, wanted: WantedColumns = CSV, limits: Limits = LIMITS, size: int = 1_000_000) -> list[Row]:
    """Return all rows of the file."""
    return list(table(file, wanted, limits, size).rows)


def texts(file: str | bytes, wanted: WantedColumns = CSV) -> list[str]:
    """Return the texts of all rows; fail if one has an error."""
    found = rows(file, wanted)
    assert [row.error for row in found if row.error] == []
    return [row.text for row in found]


def errors(file: str | bytes, wanted: WantedColumns = CSV, limits: Limits = LIMITS) -> list[str | None]:
    """Return the code of each row's error."""
    return [row.error.code if row.error else None for row in rows(file, wanted, limits)]


def refusal(kind: type[FileRefused], file: str | bytes, wanted: WantedColumns = CSV, limits: Limits = LIMITS) -> str:
    """Return the message of the refusal, which is one sentence that can be encoded."""
    with pytest.raises(FileRefused) as refused:
        rows(file, wanted, limits)
    assert type(refused.value) is kind
    message = str(refused.value)
    assert message.encode()
    assert message.endswith(".")
    return message
