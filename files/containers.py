"""Recognise a file by its first bytes: text, a ZIP archive of one file, a workbook, Parquet.

Workbooks and Parquet are turned into CSV lines, so that one reader serves all of them.
"""

import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import IO, NamedTuple

from files.errors import CorruptArchive, NotText, TooLarge, shown_names
from files.parquet_in import parquet_lines
from files.pieces import PIECE_BYTES, capped, even, plain_pieces
from files.workbook import workbook_lines

IN_MEMORY = 8_000_000  # bytes of a file that needs random access; a larger one goes to a temporary file
_ZIP, _EMPTY_ZIP, _PARQUET = b"PK\x03\x04", b"PK\x05\x06", b"PAR1\x15"
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)
_BYCATCH = ("__MACOSX/", ".DS_Store", "Thumbs.db")
_WORKBOOKS = {"xl/workbook.xml": "xlsx", "xl/workbook.bin": "xlsb", "content.xml": "ods"}


class Unpacked(NamedTuple):
    """The bytes of a text file, or the CSV lines made from a table, with the name of its format."""

    pieces: Iterator[bytes]
    lines: Iterator[str] | None = None
    format: str = ""


def unpack(chunks: Iterable[bytes], limit: int) -> Unpacked:
    """Return the contents of the file; at most `limit` bytes once it is decompressed.

    Raises:
        TooLarge, CorruptArchive: from here, or while the contents are iterated.
        NotText: an archive that holds no table.
    """
    pieces = plain_pieces(chunks, limit)
    first = next(pieces, b"")
    pieces = chain([first], pieces)
    if first.startswith(_EMPTY_ZIP):
        raise NotText("The file is an empty ZIP archive; send the CSV file itself.")
    if first.startswith(_PARQUET):
        return Unpacked(iter(()), parquet_lines(_spooled(pieces)), "parquet")
    if first.startswith(_ZIP):
        return _unzipped(_spooled(pieces), limit)
    return Unpacked(pieces)


def _spooled(pieces: Iterator[bytes]) -> IO[bytes]:
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        stack.pop_all()
        return file


def _unzipped(file: IO[bytes], limit: int) -> Unpacked:
    """Return the one file of an archive, which stays open until its bytes are read; a refused one is closed at once."""
    with ExitStack() as stack:
        stack.callback(file.close)
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            names = archive.namelist()
            kind = next((kind for name, kind in _WORKBOOKS.items() if name in names), None)
            if kind is not None:
                return Unpacked(iter(()), workbook_lines(archive, file, kind), kind)
        except _ZIP_ERRORS as error:
            raise _corrupt(error) from error
        member = _only_member(archive, limit)
        return Unpacked(capped(even(_read(archive, member, stack.pop_all())), limit))


def _only_member(archive: zipfile.ZipFile, limit: int) -> zipfile.ZipInfo:
    members = [each for each in archive.infolist() if not each.is_dir()]
    if any(each.filename == "word/document.xml" for each in members):
        raise NotText("The file is a Word document; send the reviews as CSV.")
    tables = [each for each in members if not any(part in each.filename for part in _BYCATCH)]
    if len(tables) != 1:
        raise NotText(
            f"The file is a ZIP archive of {len(tables)} files ({shown_names([each.filename for each in tables])}); "
            "send one of them."
        )
    if tables[0].file_size > limit:
        raise TooLarge(f"The file has more than {limit:,} bytes, the most that is accepted; split it.")
    return tables[0]


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, opened: ExitStack) -> Iterator[bytes]:
    with opened:
        try:
            with archive.open(member) as file:
                yield from iter(partial(file.read, PIECE_BYTES), b"")
        except _ZIP_ERRORS as error:
            raise _corrupt(error) from error


def _corrupt(error: Exception) -> CorruptArchive:
    return CorruptArchive(f"The ZIP archive cannot be read ({error}); pack it again.")
