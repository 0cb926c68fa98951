"""Read the bytes of a file into its layout and rows, in constant memory; only a workbook is held as a whole.

chunks ─ containers ─► decompressed ─ encoding ─► text ─ lines ─► records ─ csv_in | ndjson ─► rows
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from files.containers import unpack
from files.csv_in import read_csv
from files.encoding import Text
from files.errors import NoRows, TooLarge
from files.layout import Limits, Table, WantedColumns
from files.ndjson import read_ndjson
from files.row import Row
from files.written import DELIMITER, WrittenText


def read(chunks: Iterable[bytes], wanted: WantedColumns, limits: Limits) -> Table:
    """Read the first lines, which settle the layout; `rows` reads on while it is iterated.

    Raises:
        FileRefused: from here or from `rows`, as soon as it is known. Errors of `chunks` are passed on.
    """
    file = unpack(chunks, limits.bytes)
    if file.lines is not None:
        # The dialect of these lines is known; only the line of the header is not.
        known = replace(wanted, format="csv", delimiter=DELIMITER, quoting="doubled")
        table = read_csv(WrittenText(file.lines, file.format), known, limits)
    else:
        text = Text(file.pieces, wanted.charset, wanted.encoding_errors)
        table = read_csv(text, wanted, limits) if wanted.format == "csv" else read_ndjson(text, wanted, limits)
    return replace(table, rows=_counted(table.rows, limits.rows))


def _counted(rows: Iterator[Row], most: int) -> Iterator[Row]:
    row = None
    for row in rows:
        if row.index >= most:
            raise TooLarge(
                f"The file has more than {most:,} rows, the most that is accepted, at line {row.line:,}; split it."
            )
        yield row
    if row is None:
        raise NoRows("The file has a header and no rows; send at least one row below it.")
