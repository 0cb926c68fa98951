"""Why a whole file is refused: one tree. A fault of a single row is a `files.row.RowError` and refuses nothing.

FileRefused
├── TooLarge           more bytes or rows than the limit
├── NotText            a workbook, an archive, an image: no text at all
├── CorruptArchive     cut short, damaged, or followed by something else
├── UnknownCharset     a charset we do not read
├── WrongEncoding      bytes that the encoding does not have
├── EmptyFile          not even a header
├── NoRows             a header and nothing else
├── UnknownDelimiter   neither comma, semicolon, tab nor pipe
├── WrongOption        what was said of the file has no meaning: a header line, a quoting
├── UnsureHeader       a later line looks like the header
├── TooManyColumns
├── NoTextColumn       none of the names that a text column has, or no text in it
├── NoLabelColumn      labels are needed and no column has them
├── WrongLabels        what was said of the labels has no meaning
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


class CorruptArchive(FileRefused):
    """Compressed bytes that cannot be decompressed to their end, or an archive of several files."""

    code = "corrupt-archive"


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


class WrongOption(FileRefused):
    """An option has a value that it cannot have."""

    code = "wrong-option"


class UnsureHeader(FileRefused):
    """The first line is no header, and a later one looks like it."""

    code = "unsure-header"


class NoLabelColumn(FileRefused):
    """Labels are needed, and no column is known to have them."""

    code = "no-label-column"


class WrongLabels(FileRefused):
    """The mapping of labels that was sent cannot be read, or names a label that the model lacks."""

    code = "wrong-labels"


class TooManyColumns(FileRefused):
    """More columns than any table of reviews has."""

    code = "too-many-columns"


class NoTextColumn(FileRefused):
    """No column is named like a text, or the one that is holds none."""

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
    typed = (char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in cut)
    return '"' + "".join(typed) + '"'


def shown_names(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    rest = len(names) - MAX_NAMES
    return ", ".join(map(shown, names[:MAX_NAMES])) + (f" and {rest:,} more" if rest > 0 else "")
