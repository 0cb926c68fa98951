"""Lines → records, in one dialect; records that a quote has joined are found, and parted where that is sure."""

import csv
from collections.abc import Iterator
from typing import TypeAlias

from files.dialect import Dialect, Profile, is_cut, swallows
from files.errors import RecordTooLong, UnclosedQuote
from files.lines import Feed

# The line on which a record begins, its cells, and why they cannot be told apart if they cannot. A plain tuple takes
# half the time of a named one.
Record: TypeAlias = tuple[int, list[str], str | None]


def read_records(feed: Feed, dialect: Dialect, profile: Profile, *, is_told: bool) -> Iterator[Record]:
    """Read records to the end of the file; blank lines are none.

    Args:
        feed: The lines.
        dialect: How they are written.
        profile: What a record looks like.
        is_told: Whether the sender says how quotes are written, so that a record of several lines is one.

    Raises:
        UnclosedQuote, RecordTooLong: from a quote on to the end of the file, or too far, no record ends.
    """
    reader = dialect.reader(feed)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            yield from _broken(feed, dialect, profile, is_told=is_told)
            if feed.ended:
                return
        except RecordTooLong:
            if is_told or feed.line == feed.began or not (rows := _apart(feed, dialect, profile)):
                raise
            yield from rows
            reader = dialect.reader(feed)
        else:
            if cells is None:
                return
            if feed.line > feed.began and not is_told and swallows(feed.kept, profile):
                yield from _apart(feed, dialect, profile) or [_fault(feed)]
            elif cells:
                yield (feed.began, cells, None)
        feed.end_record()


def _broken(feed: Feed, dialect: Dialect, profile: Profile, *, is_told: bool) -> Iterator[Record]:
    """What can be made of lines that the dialect cannot read: a record in backslashes, a record a line, or a fault."""
    if not is_told:
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
            'say quoting=none if quotes are signs like others, or quoting=backslash if \\" is one.'
        )
    yield _fault(feed)


def _one_record(lines: list[str], dialect: Dialect, profile: Profile) -> list[str] | None:
    try:
        records = list(dialect.reader(lines))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 and len(records[0]) == profile.width else None


def _apart(feed: Feed, dialect: Dialect, profile: Profile) -> list[Record]:
    """Each line as a record of its own, if every one has the header's width."""
    plain = Dialect(dialect.delimiter, "none")
    rows: list[Record] = []
    for number, line in enumerate(feed.kept, feed.began):
        if not line.strip("\r\n"):
            continue
        cells = dialect.line(line)
        cells = cells if cells and len(cells) == profile.width else plain.line(line)
        if cells is None or len(cells) != profile.width or profile.contradicts(cells):
            return []
        rows.append((number, cells, None))
    is_sure = profile.width > 1 or (feed.line == feed.began and not feed.ended)
    return rows if is_sure else []


def _fault(feed: Feed) -> Record:
    text = "".join(feed.kept).rstrip("\r\n")
    if feed.line > feed.began:
        what = f"Lines {feed.began:,} to {feed.line:,} were read as one record, joined by a quote that has no partner"
    else:
        what = f"Line {feed.began:,} has a quote within a cell that is neither doubled nor at its end"
    return (feed.began, [text], f"{what}; mend it, or say quoting=none, backslash or doubled.")
