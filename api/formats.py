"""Write all results of a job as a stream of bytes, in one generator for each format.

Each piece is one page of rows, read in its own transaction, so a slow client holds no connection. The same rows give
the same bytes every time, which makes downloads resumable.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import Any, NamedTuple, TypeVar

from api.errors import WrongState
from api.serialize import result_out
from db import exports, jobs, reviews
from db.engine import Connection, Engine, read_only
from db.exports import Export
from files.csv_out import BYTE_ORDER_MARK, FORMULA_STARTS, Writer, our_names

NDJSON_ROWS = 2_000  # in a page of about 2 MB

Read = TypeVar("Read")


class Formulas(StrEnum):
    """Treatment of cells that a spreadsheet would run as a formula."""

    ESCAPE = "escape"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class WantedResults:
    """The results that one download holds, and the version of the job that they belong to.

    With `with_header` off, the stream is the rest of a download: it starts behind the row `after`, without a header.
    """

    export: Export
    after: int
    formulas: Formulas
    finished_at: datetime | None
    bom: bool = False  #: whether CSV begins with a UTF-8 byte order mark
    with_header: bool = True


class Piece(NamedTuple):
    """Bytes of a stream, and the index of the last row in them if the stream can be resumed behind them."""

    content: bytes
    after: int | None = None


def csv(engine: Engine, wanted: WantedResults) -> Iterator[Piece]:
    """Yield CSV (UTF-8, LF): the caller's columns, then the columns of the results."""
    export, escape = wanted.export, wanted.formulas is Formulas.ESCAPE
    if wanted.with_header:
        header = io.StringIO()
        header.write(BYTE_ORDER_MARK if wanted.bom else "")
        Writer(header, export.delimiter, escape=escape).record([*export.columns, *our_names(export.columns)])
        yield Piece(header.getvalue().encode(), wanted.after)

    def copied(connection: Connection, after: int, end: int) -> bytes:
        return exports.csv_page(connection, export, after, end, FORMULA_STARTS if escape else ())

    def written(connection: Connection, after: int, end: int) -> bytes:
        page = io.StringIO()
        writer = Writer(page, export.delimiter, escape=escape)
        for row in exports.values_page(connection, export, after, end):
            writer.record("" if cell is None else str(cell) for cell in row)
        return page.getvalue().encode()

    for end, page in _pages(engine, wanted, copied if len(export.columns) <= exports.COPY_COLUMNS else written):
        yield Piece(page, end)


def ndjson(engine: Engine, wanted: WantedResults) -> Iterator[Piece]:
    """Yield NDJSON: one `Result` on each line."""
    after, status = wanted.after, wanted.export.status
    while True:
        with read_only(engine) as connection:
            rows: Sequence[Any] = reviews.page(connection, wanted.export.job_id, after=after, limit=NDJSON_ROWS)
            if not rows:
                _must_be_unchanged(connection, wanted)
                return
        # Filtered here: with a rare status, a page filtered in SQL could exceed the statement timeout.
        lines = [result_out(row).model_dump_json() for row in rows if status in {None, row.status}]
        after = rows[-1].index
        yield Piece("".join(f"{line}\n" for line in lines).encode(), after)


def parquet(engine: Engine, wanted: WantedResults) -> Iterator[Piece]:
    """Yield Parquet: the columns of `csv` with types and unique names, one row group for each page."""
    import pyarrow as pa  # noqa: PLC0415  costs 100 MB of memory, so only Parquet downloads import it
    from pyarrow import parquet as pq  # noqa: PLC0415

    export, sink = wanted.export, _Sink()

    def read(connection: Connection, after: int, end: int) -> list[tuple[Any, ...]]:
        return exports.values_page(connection, export, after, end)

    names = _distinct([*export.columns, *our_names(export.columns)])
    types = [pa.string()] * len(names)
    types[-4] = pa.float32()
    if export.layout is None:
        types[0] = pa.int32()
    schema = pa.schema(list(zip(names, types, strict=True)))
    with pq.ParquetWriter(sink, schema, compression="zstd", write_statistics=False) as writer:
        for _, rows in _pages(engine, wanted, read):
            if rows:
                columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            yield Piece(sink.take())
    yield Piece(sink.take())


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names made unique, since most Parquet readers refuse repeated ones: the second `a` is `a_2`."""
    found: dict[str, None] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        found[name if name not in found else next(each for each in numbered if each not in found)] = None
    return list(found)


def _pages(
    engine: Engine, wanted: WantedResults, read: Callable[[Connection, int, int], Read]
) -> Iterator[tuple[int, Read]]:
    after = wanted.after
    while True:
        with read_only(engine) as connection:
            end = exports.page_end(connection, wanted.export.job_id, after)
            if end is None:
                _must_be_unchanged(connection, wanted)
                return
            page = read(connection, after, end)
        yield end, page
        after = end


def _must_be_unchanged(connection: Connection, wanted: WantedResults) -> None:
    """Check at the end of a stream that its pages belong together; an error cuts the stream off.

    Raises:
        WrongState: The job was deleted or retried while its results were read.
    """
    job = jobs.get(connection, wanted.export.job_id)
    if job is None or (wanted.finished_at and job.finished_at != wanted.finished_at):
        raise WrongState("The job was deleted or retried while its results were read; download them again.")


class _Sink(io.RawIOBase):
    """A file that collects written bytes until `take` returns them."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._written.append(bytes(data))
        return len(self._written[-1])

    def take(self) -> bytes:
        taken, self._written = b"".join(self._written), []
        return taken
