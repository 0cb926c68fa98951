"""Decode pieces of bytes to pieces of text; refuse files that are not text."""

import codecs
import re
import threading
from collections.abc import Iterator
from itertools import chain

from files.charsets import detected, named
from files.errors import NotText, WrongEncoding
from files.layout import EncodingErrors

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_SIGNATURES = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as .xlsx or CSV",
    b"%PDF-": "a PDF document; send the reviews as CSV",
    b"{\\rtf": "an RTF document; send the reviews as CSV",
    b"\x89PNG": "a PNG image; send the reviews as CSV",
    b"\xff\xd8\xff": "a JPEG image; send the reviews as CSV",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive; send the CSV file itself, or in a ZIP",
    b"Rar!\x1a": "a RAR archive; send the CSV file itself, or in a ZIP",
    b"PK\x03\x04": "an archive within a compressed file; compress it once",
    b"\x1f\x8b": "compressed twice; compress it once",
    b"BZh": "compressed twice; compress it once",
    b"\x28\xb5\x2f\xfd": "compressed twice; compress it once",
    b"\xfd7zXZ\x00": "compressed twice; compress it once",
    b"SQLite format 3\x00": "an SQLite database; send a table as CSV",
    codecs.BOM_UTF32_LE: "in UTF-32; save it as UTF-8",
    codecs.BOM_UTF32_BE: "in UTF-32; save it as UTF-8",
}
_HTML = re.compile(rb"\s*<(!doctype html|html|head|body|table|meta)\b", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml")
_TAR = slice(257, 262)
_NUL_IN_FIRST_LINE = re.compile(rb"[^\r\n\0]*\0")
_NOT_ASCII = re.compile(rb"[\x80-\xff]{1,4}")
_BAD = re.compile("[\udc00-\udcff]")
_MARKING = "verdict-mark"
_marked = threading.local()  # `bytes`: how many the handler below has replaced in this thread


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Replace each undecodable byte by a lone surrogate, which no valid text contains."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    _marked.bytes = getattr(_marked, "bytes", 0) + error.end - error.start
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARKING, _mark)


class Text:
    """The text of a file, piece by piece, without a byte order mark.

    `encoding` is known up to the last piece read: it begins as UTF-8 and may turn out to be windows-1252.
    `is_damaged` is true once a byte could not be decoded; the text has a lone surrogate in its place. `has_nul` is true
    once a NUL character was read.
    """

    def __init__(self, pieces: Iterator[bytes], charset: str | None, errors: EncodingErrors = "strict") -> None:
        first = next(pieces, b"")
        certain = _recognised(first) if charset is None else _with_order(named(charset), first)
        _check_text(first, certain)
        self._pieces = chain([first], pieces)
        self._certain = certain is not None
        self._errors = errors
        self.encoding = certain or "utf-8"
        self.is_damaged = self.has_nul = False

    def __iter__(self) -> Iterator[str]:
        texts = self._decoded(self._pieces, 0, 1) if self._certain else self._guess()
        for text in chain([next(texts, "").lstrip("\ufeff")], texts):
            self.has_nul = self.has_nul or "\0" in text
            yield text

    def bad_byte(self, text: str) -> str | None:
        """Return a sentence on the first byte of the text that could not be decoded, or None."""
        found = _BAD.search(text)
        if found is None:
            return None
        byte = ord(found[0]) - 0xDC00
        return f"the byte 0x{byte:02x} is not valid {self.encoding}; save the file as UTF-8, or set its encoding."

    def _guess(self) -> Iterator[str]:
        """Decode as UTF-8, or if the first sequence beyond ASCII is not UTF-8, as that piece's detected encoding."""
        offset, line = 0, 1
        for piece in self._pieces:
            if piece.isascii():
                yield piece.decode("ascii")
                offset += len(piece)
                line += piece.count(b"\n")
            else:
                whole = piece + next(self._pieces, b"")  # the sequence may span both
                if not _is_utf_8(whole):
                    self.encoding = detected(whole, line)
                yield from self._decoded(chain([whole], self._pieces), offset, line)

    def _decoded(self, pieces: Iterator[bytes], offset: int, line: int) -> Iterator[str]:
        if self._errors == "strict":
            yield from self._strict(pieces, offset, line)
            return
        decoder = codecs.getincrementaldecoder(self.encoding)("replace" if self._errors == "replace" else _MARKING)
        for piece in chain(pieces, [b""]):
            _marked.bytes = 0
            text = decoder.decode(piece, final=not piece)
            self.is_damaged = self.is_damaged or bool(_marked.bytes)
            yield text

    def _strict(self, pieces: Iterator[bytes], offset: int, line: int) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)()
        for piece in chain(pieces, [b""]):
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                at = offset - held + error.start
                line += error.object[: error.start].count(b"\n")
                raise WrongEncoding(
                    f"The byte 0x{error.object[error.start]:02x} at offset {at:,}, near line {line:,}, is not valid "
                    f"{self.encoding}; save the file as UTF-8, set its encoding, or set encoding_errors=row."
                ) from error
            line += text.count("\n")
            offset += len(piece)
            yield text


def _with_order(encoding: str, first: bytes) -> str:
    """Return the encoding that the sender named, for UTF-16 with the byte order of the file itself."""
    if encoding == "utf-16":
        return "utf-16-be" if _recognised(first) == "utf-16-be" else "utf-16-le"
    return encoding


def _recognised(first: bytes) -> str | None:
    """Return the encoding shown by a byte order mark, or by the NUL bytes of four ASCII characters in UTF-16."""
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
    for signature, advice in _SIGNATURES.items():
        if first.startswith(signature):
            raise NotText(f"The file is {advice}.")
    plain = first[:1_000].removeprefix(codecs.BOM_UTF8)
    if _HTML.match(plain):
        raise NotText("The file is an HTML page, such as a login page or a table saved as .xls; save it as CSV.")
    if _XML.match(plain):
        raise NotText("The file is XML; save it as CSV.")
    if first[_TAR] == b"ustar":
        raise NotText("The file is a tar archive; send the CSV file itself, or in a ZIP.")
    if encoding not in {"utf-16-le", "utf-16-be"} and _NUL_IN_FIRST_LINE.match(first):
        raise NotText("The first line has NUL bytes, so the file is not text; save it as CSV in UTF-8.")


def _is_utf_8(piece: bytes) -> bool:
    """Return whether the first sequence beyond ASCII is valid UTF-8, which has two to four bytes."""
    found = _NOT_ASCII.search(piece)
    return found is None or any(_decodes(found[0][:length]) for length in (2, 3, 4))


def _decodes(sequence: bytes) -> bool:
    try:
        sequence.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
