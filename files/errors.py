"""Why a whole file is refused: one tree. A fault of a single row is a `files.row.RowError` and refuses nothing.

FileRefused
├── TooLarge           more bytes or rows than the limit
├── NotText            a workbook, an archive, an image: no text at all
├── CorruptGzip        cut short, damaged, or followed by something else
├── UnknownCharset     a charset we do not read
├── WrongEncoding      bytes that the encoding does not have
├── EmptyFile          not even a header
├── NoRows             a header and nothing else
├── UnknownDelimiter   neither comma, semicolon, tab nor pipe
├── TooManyColumns
├── NoTextColumn       none of the names that a text column has
├── NoSuchColumn       a column that was asked for is not there
├── AmbiguousColumn    the name of a column that is needed stands twice
├── RecordTooLong      most often a quote that is never closed
├── UnclosedQuote      the same, found at the end of the file
└── NotNdjson          the first line is no JSON object and no JSON string

Messages are one sentence, name the line or byte, and always encode as UTF-8.
"""

from collections.abc import Sequence
from typing import ClassVar

MAX_NAMES = 20
MAX_SHOWN = 40


class FileRefused(Exception):
    """The file cannot be read."""

    code: ClassVar[str] = "file-refused"


class TooLarge(FileRefused):
    """More bytes or rows than the limit."""

    code = "file-too-large"


class NotText(FileRefused):
    """Something else than text."""

    code = "not-text"


class CorruptGzip(FileRefused):
    """Gzip that cannot be decompressed to its end."""

    code = "corrupt-gzip"


class UnknownCharset(FileRefused):
    """A charset we do not read."""

    code = "unknown-charset"


class WrongEncoding(FileRefused):
    """Bytes that the encoding does not have."""

    code = "wrong-encoding"


class EmptyFile(FileRefused):
    """Nothing but blank lines."""

    code = "empty-file"


class NoRows(FileRefused):
    """A header and nothing else."""

    code = "no-rows"


class UnknownDelimiter(FileRefused):
    """A delimiter we do not read."""

    code = "unknown-delimiter"


class TooManyColumns(FileRefused):
    """More columns than any table of reviews has."""

    code = "too-many-columns"


class NoTextColumn(FileRefused):
    """None of the names that a text column has."""

    code = "no-text-column"


class NoSuchColumn(FileRefused):
    """A column that was asked for is not there."""

    code = "no-such-column"


class AmbiguousColumn(FileRefused):
    """The name of a column that is needed stands twice."""

    code = "ambiguous-column"


class RecordTooLong(FileRefused):
    """A record longer than the limit."""

    code = "record-too-long"


class UnclosedQuote(FileRefused):
    """The file ends inside of a quoted cell."""

    code = "unclosed-quote"


class NotNdjson(FileRefused):
    """The first line is no JSON object and no JSON string."""

    code = "not-ndjson"


def shown(text: str) -> str:
    """The start of a piece of input as messages repeat it: short, on one line, free of surrogates."""
    cut = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return '"' + "".join(char if char.isprintable() else "\ufffd" for char in cut) + '"'


def shown_names(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    rest = len(names) - MAX_NAMES
    return ", ".join(map(shown, names[:MAX_NAMES])) + (f" and {rest:,} more" if rest > 0 else "")
