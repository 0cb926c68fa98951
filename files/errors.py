"""The errors that refuse a whole file. A fault of one row is a `files.row.RowError`; the file is still read.

FileRefused
├── TooLarge           more bytes or rows than the limit
├── NotText            an image, a document, an archive without a table
├── CorruptArchive     cut short, damaged, or followed by something else
├── UnknownCharset     an encoding that is not supported
├── WrongEncoding      bytes that are not valid in the encoding
├── EmptyFile          not even a header
├── NoRows             a header without rows
├── UnknownDelimiter   neither comma, semicolon, tab nor pipe
├── WrongOption        an option with an impossible value, such as the header's line
├── UnsureHeader       a later line looks like the header
├── TooManyColumns     more columns than any table of reviews has
├── NoTextColumn       no column with a known name for texts, or no texts in it
├── NoLabelColumn      labels are needed and no column has a known name for them
├── WrongLabels        a mapping of labels that cannot be read
├── NoSuchColumn       a column that the sender named does not exist
├── AmbiguousColumn    two columns could be meant
├── RecordTooLong      mostly caused by a quote that is never closed
├── UnclosedQuote      a quote that is still open at the end of the file
└── NotNdjson          the first line is neither a JSON object nor a JSON string

A message is one sentence that names the line or byte and the next step; it always encodes as UTF-8.
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
    """The file is not text."""

    code = "not-text"


class CorruptArchive(FileRefused):
    """Compressed bytes that cannot be decompressed to their end, or an archive of several files."""

    code = "corrupt-archive"


class UnknownCharset(FileRefused):
    """An encoding that is not supported."""

    code = "unknown-charset"


class WrongEncoding(FileRefused):
    """Bytes that are not valid in the encoding."""

    code = "wrong-encoding"


class EmptyFile(FileRefused):
    """Only blank lines."""

    code = "empty-file"


class NoRows(FileRefused):
    """A header without rows."""

    code = "no-rows"


class UnknownDelimiter(FileRefused):
    """A delimiter that is not supported."""

    code = "unknown-delimiter"


class WrongOption(FileRefused):
    """An option with an impossible value."""

    code = "wrong-option"


class UnsureHeader(FileRefused):
    """The first line has no known column name, and a later line looks like the header."""

    code = "unsure-header"


class NoLabelColumn(FileRefused):
    """Labels are needed, and no column has a known name for them."""

    code = "no-label-column"


class WrongLabels(FileRefused):
    """A mapping of labels that cannot be read, or that names a label the model lacks."""

    code = "wrong-labels"


class TooManyColumns(FileRefused):
    """More columns than any table of reviews has."""

    code = "too-many-columns"


class NoTextColumn(FileRefused):
    """No column has a known name for texts, or the one that has it holds no texts."""

    code = "no-text-column"


class NoSuchColumn(FileRefused):
    """A column that the sender named does not exist."""

    code = "no-such-column"


class AmbiguousColumn(FileRefused):
    """Two columns could be meant."""

    code = "ambiguous-column"


class RecordTooLong(FileRefused):
    """A record longer than the limit."""

    code = "record-too-long"


class UnclosedQuote(FileRefused):
    """The file ends inside a quoted cell."""

    code = "unclosed-quote"


class NotNdjson(FileRefused):
    """The first line is neither a JSON object nor a JSON string."""

    code = "not-ndjson"


def shown(text: str) -> str:
    """Return the start of an input for a message: short, quoted, on one line, without surrogates."""
    cut = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    typed = (char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in cut)
    return '"' + "".join(typed) + '"'


def shown_names(names: Sequence[str]) -> str:
    """Return the first names for a message, and how many more there are."""
    rest = len(names) - MAX_NAMES
    return ", ".join(map(shown, names[:MAX_NAMES])) + (f" and {rest:,} more" if rest > 0 else "")
