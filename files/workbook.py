"""Convert the one sheet with reviews of a workbook (.xlsx, .ods) to CSV lines."""

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import IO

from python_calamine import CalamineError, CalamineWorkbook

from files.columns import has_text
from files.errors import AmbiguousColumn, CorruptArchive, EmptyFile, NotText, TooLarge, shown_names
from files.layout import WantedColumns
from files.written import as_line

MOST_BYTES = 200_000_000  # decompressed: a workbook is read as a whole, at some 5 times its size in memory
_SEARCHED = 30
Value = int | float | str | bool | time | date | datetime | timedelta


def workbook_lines(archive: zipfile.ZipFile, file: IO[bytes], kind: str) -> Iterator[str]:
    """Return the lines of the only filled sheet, or else of the only one with a column of texts.

    Raises:
        TooLarge: the workbook would take too much memory.
        NotText, CorruptArchive: the workbook cannot be read.
        AmbiguousColumn: several sheets could be meant.
    """
    if kind == "xlsb":
        raise NotText("The file is a binary Excel workbook; save it as .xlsx or CSV.")
    _check_size(archive)
    file.seek(0)
    try:
        book = CalamineWorkbook.from_filelike(file)
        sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (CalamineError, ValueError, OSError) as error:
        raise CorruptArchive(f"The workbook cannot be read ({error}); save it again.") from error
    filled = {name: rows for name, rows in sheets.items() if any(any(cell != "" for cell in row) for row in rows)}
    if not filled:
        raise EmptyFile("The workbook is empty; send a header and at least one row.")
    named = [name for name, rows in filled.items() if len(filled) == 1 or _names_texts(rows)]
    if len(named) != 1:
        raise AmbiguousColumn(
            f"The workbook has {len(filled)} filled sheets ({shown_names(list(filled))}), and {len(named)} of them "
            "name a column of texts; send a workbook with one sheet, or CSV."
        )
    return (as_line([_cell(cell) for cell in row]) for row in filled[named[0]])


def _check_size(archive: zipfile.ZipFile) -> None:
    """Decompress everything once, since the sizes stated by an archive may be wrong."""
    total = 0
    for member in archive.infolist():
        with archive.open(member) as part:
            while piece := part.read(1 << 20):
                total += len(piece)
                if total > MOST_BYTES:
                    raise TooLarge(
                        f"The workbook has more than {MOST_BYTES:,} bytes once it is decompressed; save it as CSV."
                    )


def _names_texts(rows: Sequence[Sequence[Value]]) -> bool:
    return any(has_text([_cell(cell) for cell in row], WantedColumns("csv")) for row in rows[:_SEARCHED])


def _cell(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (datetime, date, time)):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return str(value).replace("\0", "")
