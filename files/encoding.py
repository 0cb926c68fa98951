"""Pieces of bytes → pieces of text. Called by files.reader; refuses what is no text at all."""

import codecs
import re
from collections.abc import Iterator
from itertools import chain

from files.errors import NotText, UnknownCharset, WrongEncoding, shown

_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16",
    "utf16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "utf-16be": "utf-16-be",
    "windows-1252": "windows-1252",
    "cp1252": "windows-1252",
    "iso-8859-1": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "us-ascii": "us-ascii",
    "ascii": "us-ascii",
}
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_ADVICE = {
    b"PK\x03\x04": "an Excel workbook or ZIP archive; save it as CSV",
    b"PK\x05\x06": "an empty ZIP archive; send the CSV file itself",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as CSV",
    b"PAR1\x15": "a Parquet file; export it as CSV or NDJSON",
    b"%PDF-": "a PDF document; send the reviews as CSV",
    b"\x89PNG": "a PNG image; send the reviews as CSV",
    b"\xff\xd8\xff": "a JPEG image; send the reviews as CSV",
    b"\x1f\x8b": "compressed twice; compress it once",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard; use gzip",
    b"\xfd7zXZ\x00": "compressed with xz; use gzip",
    codecs.BOM_UTF32_LE: "in UTF-32; save it as UTF-8",
    codecs.BOM_UTF32_BE: "in UTF-32; save it as UTF-8",
}
_NUL_IN_FIRST_LINE = re.compile(rb"[^\r\n\0]*\0")
_NOT_ASCII = re.compile(rb"[\x80-\xff]{1,4}")


class Text:
    """The text of a file, piece by piece, without a byte order mark; `encoding` is what is known so far."""

    def __init__(self, pieces: Iterator[bytes], charset: str | None) -> None:
        first = next(pieces, b"")
        certain = _recognised(first) if charset is None else _named(charset, first)
        _check_text(first, certain)
        self._pieces = chain([first], pieces)
        self._certain = certain is not None
        self.encoding = certain or "utf-8"

    def __iter__(self) -> Iterator[str]:
        texts = self._strict(self._pieces, 0) if self._certain else self._guess()
        yield next(texts, "").removeprefix("\ufeff")
        yield from texts

    def _guess(self) -> Iterator[str]:
        """UTF-8, unless the first sequence that is not ASCII, which both have in common, is none: Windows-1252."""
        offset = 0
        for piece in self._pieces:
            if piece.isascii():
                yield piece.decode("ascii")
                offset += len(piece)
            else:
                whole = piece + next(self._pieces, b"")  # the sequence may stand across the two
                if not _is_utf_8(whole):
                    self.encoding = "windows-1252"
                yield from self._strict(chain([whole], self._pieces), offset)

    def _strict(self, pieces: Iterator[bytes], offset: int) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)()
        for piece in chain(pieces, [b""]):
            try:
                yield decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                at = offset - len(decoder.getstate()[0]) + error.start
                raise WrongEncoding(
                    f"The byte 0x{error.object[error.start]:02x} at offset {at:,} is no {self.encoding}; "
                    "save the file as UTF-8 or name its charset."
                ) from error
            offset += len(piece)


def _named(charset: str, first: bytes) -> str:
    """The encoding that the sender names, with the byte order that the file itself shows."""
    encoding = _CHARSETS.get(charset.strip().lower().replace("_", "-"))
    if encoding is None:
        raise UnknownCharset(
            f"The charset {shown(charset)} is not read; use utf-8, utf-16, windows-1252, iso-8859-1 or us-ascii."
        )
    if encoding == "utf-16":
        return "utf-16-be" if _recognised(first) == "utf-16-be" else "utf-16-le"
    return encoding


def _recognised(first: bytes) -> str | None:
    """The encoding by its mark, or by the NULs that the first four characters of a header have in UTF-16."""
    for mark, encoding in _MARKS.items():
        if first.startswith(mark):
            return encoding
    even, odd = first[0:8:2], first[1:8:2]
    if odd and not any(odd) and all(even):
        return "utf-16-le"
    if odd and not any(even) and all(odd):
        return "utf-16-be"
    return None


def _check_text(first: bytes, encoding: str | None) -> None:
    for signature, advice in _ADVICE.items():
        if first.startswith(signature):
            raise NotText(f"The file is {advice}.")
    if encoding not in {"utf-16-le", "utf-16-be"} and _NUL_IN_FIRST_LINE.match(first):
        raise NotText("The first line has NUL bytes, so the file is no text; save it as CSV in UTF-8.")


def _is_utf_8(piece: bytes) -> bool:
    """Whether the first sequence that is not ASCII is one of UTF-8, which has two to four bytes."""
    found = _NOT_ASCII.search(piece)
    return found is None or any(_decodes(found[0][:length]) for length in (2, 3, 4))


def _decodes(sequence: bytes) -> bool:
    try:
        sequence.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
