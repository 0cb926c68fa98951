"""Read lines as records of one dialect; find records joined by a stray quote, and separate them where that is safe."""

import csv
from collections.abc import Iterator
from typing import TypeAlias

from files.dialect import Dialect, is_cut
from files.errors import RecordTooLong, UnclosedQuote
from files.lines import Feed
from files.table_profile import Profile, swallows

# The first line of a record, its cells, and a message if they cannot be separated. A plain tuple takes half the time
# of a named one.
Record: TypeAlias = tuple[int, list[str], str | None]


def read_records(feed: Feed, dialect: Dialect, profile: Profile, *, is_given: bool) -> Iterator[Record]:
    """Yield records to the end of the file; blank lines are skipped.

    Args:
        feed: The lines.
        dialect: The dialect of the file.
        profile: The usual shape of a record.
        is_given: Whether the sender named the quoting; then a record of several lines is never separated.

    Raises:
        UnclosedQuote, RecordTooLong: a quote is open up to the end of the file, or for too many characters.
    """
    reader, kept = dialect.reader(feed), feed.kept
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            yield from _broken(feed, dialect, profile, is_given=is_given)
            if feed.ended:
                return
        except RecordTooLong:
            if is_given or len(kept) == 1 or not (rows := _apart(feed, dialect, profile)):
                raise
            yield from rows
            reader = dialect.reader(feed)
        else:
            if cells is None:
                return
            if len(kept) > 1:
                yield from _of_several_lines(feed, cells, dialect, profile, is_given=is_given)
            elif cells:  # a blank line has none
                yield (feed.line, cells, None)
        kept.clear()


def _of_several_lines(
    feed: Feed, cells: list[str], dialect: Dialect, profile: Profile, *, is_given: bool
) -> list[Record]:
    """Return the record, or if a stray quote has joined its lines, a record each or one fault."""
    if is_given or dialect.escapes or not swallows(feed.kept, profile):
        return [(feed.began, cells, None)]
    return _apart(feed, dialect, profile) or [_fault(feed)]


def _broken(feed: Feed, dialect: Dialect, profile: Profile, *, is_given: bool) -> Iterator[Record]:
    """Yield the records of lines that the dialect cannot read: one with backslashes, one a line, or one fault."""
    if not is_given:
        escaped = Dialect(dialect.delimiter, "backslash", dialect.skips_space)
        if any('\\"' in line for line in feed.kept) and (cells := _one_record(feed.kept, escaped, profile)):
            yield (feed.began, cells, None)
            return
        is_sure = not (feed.ended and is_cut(feed.kept, dialect.delimiter))
        if is_sure and (rows := _apart(feed, dialect, profile)):
            yield from rows
            return
    if feed.ended:
        raise UnclosedQuote(
            f"The record that begins on line {feed.began:,} has a quote that is never closed; "
            'set quoting=none if quotes are plain characters, or quoting=backslash if quotes are written \\".'
        )
    yield _fault(feed)


def _one_record(lines: list[str], dialect: Dialect, profile: Profile) -> list[str] | None:
    try:
        records = list(dialect.reader(lines))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 and len(records[0]) == profile.width else None


def _apart(feed: Feed, dialect: Dialect, profile: Profile) -> list[Record]:
    """Return each line as a record of its own, or nothing unless all have the width of the header."""
    plain = Dialect(dialect.delimiter, "none")
    rows: list[Record] = []
    for number, line in enumerate(feed.kept, feed.began):
        if not line.strip("\r\n"):
            continue
        cells = dialect.line(line)
        cells = cells if cells and len(cells) == profile.width else _unquoted(plain.line(line))
        if cells is None or len(cells) != profile.width or profile.contradicts(cells):
            return []
        rows.append((number, cells, None))
    is_sure = profile.width > 1 or (feed.line == feed.began and not feed.ended)
    return rows if is_sure else []


def _unquoted(cells: list[str] | None) -> list[str] | None:
    """Return the cells without the quotes around them, if a writer enclosed them and did not double quotes within."""
    enclosed = [cell for cell in cells or () if cell.startswith('"')]
    if cells is None or len(enclosed) < 2 or not all(len(cell) > 1 and cell.endswith('"') for cell in enclosed):
        return cells
    return [cell[1:-1].replace('""', '"') if cell.startswith('"') else cell for cell in cells]


def _fault(feed: Feed) -> Record:
    text = "".join(feed.kept).rstrip("\r\n")
    if feed.line > feed.began:
        fault = f"Lines {feed.began:,} to {feed.line:,} were read as one record, joined by an unpaired quote"
    else:
        fault = f"Line {feed.began:,} has a quote within a cell that is neither doubled nor at its end"
    return (feed.began, [text], f"{fault}; mend it, or set quoting=none, backslash or doubled.")
