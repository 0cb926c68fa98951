"""Find the header of a CSV file, and with it the delimiter and the quoting."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from files.columns import has_text, number_of
from files.contents import MOSTLY
from files.dialect import DELIMITERS, WHOLE_LINE, Dialect
from files.errors import UnknownDelimiter, UnsureHeader, WrongOption, shown
from files.head import Head, Header, modal_width
from files.layout import Quoting, WantedColumns
from files.sniffing import Tried, best_dialect, has_row_names

SEARCHED = 30  # lines among which the header is looked for
QUOTINGS: tuple[Quoting, ...] = ("doubled", "backslash", "none")
_SEPARATOR_LINE = re.compile(r'"?sep=([,;|\t])"?[,;|\t]*\s*', re.IGNORECASE)
_LINES = re.compile(r"([1-9]\d{0,6})(?:-([1-9]\d{0,6}))?")


class Found(NamedTuple):
    """The names of the columns, the dialect, and the index of the first line after the header."""

    names: list[str]
    dialect: Dialect
    end: int
    notes: list[str]


def find(head: Head, wanted: WantedColumns) -> Found:
    """Return the header: on the line that the sender named, or else recognised.

    Raises:
        UnsureHeader: the first line has no known column name, and a later line looks like the header.
        WrongOption, UnknownDelimiter: an option has an impossible value.
        UnclosedQuote: a quote in the header is never closed.
    """
    delimiters = [_delimiter(wanted.delimiter)] if wanted.delimiter is not None else list(DELIMITERS.values())
    start, notes = 0, list[str]()
    if separator := _SEPARATOR_LINE.fullmatch(head.lines[0]):
        start = 1
        notes.append(f"Line {head.number(0)} names the delimiter.")
        delimiters = delimiters if wanted.delimiter is not None else [separator[1]]
    given = (wanted.header or "").strip().lower()
    if given == "none":
        return _without(head, delimiters, start, wanted, notes)
    first, last = _given_lines(head, given) if given else (None, None)
    index = _search(head, delimiters, start, wanted, notes) if first is None else first
    found = _at(head, delimiters, index, wanted)
    end = found.end if last is None else max(found.end, last + 1)
    return Found(found.cells, found.dialect, end, notes)


def _delimiter(name: str) -> str:
    delimiter = DELIMITERS.get(name.strip(" ").lower(), name)
    if delimiter not in DELIMITERS.values():
        raise UnknownDelimiter(f"The delimiter {shown(name)} is not supported; use comma, semicolon, tab or pipe.")
    return delimiter


def _given_lines(head: Head, given: str) -> tuple[int, int | None]:
    numbers = _LINES.fullmatch(given)
    if not numbers:
        raise WrongOption(f"header={shown(given)} is not valid; set none, or the line of the header, such as 4 or 1-2.")
    first, last = int(numbers[1]) - 1 - head.before, int(numbers[2] or numbers[1]) - 1 - head.before
    if not 0 <= first <= last < len(head.lines):
        raise WrongOption(
            f"header={given} is out of range; a header can be on the lines {head.number(0)} to "
            f"{head.number(len(head.lines) - 1)}."
        )
    return first, last if numbers[2] else None


def _search(head: Head, delimiters: Sequence[str], start: int, wanted: WantedColumns, notes: list[str]) -> int:
    """Return the index of the first line with the name of a text column, or else of the first that is no comment."""
    filled = [index for index in range(start, len(head.lines)) if head.lines[index].strip()][:SEARCHED]
    if not filled:
        return len(head.lines) - 1
    bare = [index for index in filled if not head.lines[index].startswith("#")] or filled
    for index in filled:
        headers = _headers(head, delimiters, index, wanted)
        if not any(has_text(header.cells, wanted) for header in headers):
            continue
        before = [each for each in bare if each < index]
        if before:
            _check_preamble(head, delimiters, before, index, wanted)
        if index != filled[0]:
            notes.append(f"The header is on line {head.number(index)}; the lines before it are left out.")
        return index
    return bare[0]


def _check_preamble(
    head: Head, delimiters: Sequence[str], before: Sequence[int], index: int, wanted: WantedColumns
) -> None:
    header = _at(head, delimiters, index, wanted)
    width = len(header.cells)
    is_sure = width > 1 and all(name.strip() for name in header.cells) and len(set(header.cells)) == width
    for line in before:
        cells = header.dialect.line(head.lines[line])
        if not is_sure or cells is None or sum(bool(cell.strip()) for cell in cells) > max(1, width // 2):
            raise UnsureHeader(
                f"Line {head.number(line)} names no text column, and line {head.number(index)} looks like the header; "
                f"set header={head.number(index)} if it is, or header=none with text_column if the file has none."
            )


def _headers(head: Head, delimiters: Sequence[str], index: int, wanted: WantedColumns) -> list[Header]:
    quoting: Quoting = wanted.quoting or "doubled"
    dialects = [Dialect(delimiter, quoting, skips) for delimiter in delimiters for skips in (False, True)]
    found = [header for dialect in dialects if (header := head.header(dialect, index))]
    return found or [header for each in delimiters if (header := head.header(Dialect(each, "none"), index))]


def _at(head: Head, delimiters: Sequence[str], index: int, wanted: WantedColumns) -> Header:
    """Return the header on this line, with the best delimiter: it shows a text column, fits the rows, cuts most."""
    headers = _headers(head, delimiters, index, wanted)
    best = max(
        headers,
        key=lambda each: (*_rank(head, each, wanted), len(each.cells)),
        default=None,
    )
    delimiter = best.dialect.delimiter if best else delimiters[0]
    if best and len(best.cells) == 1 and wanted.delimiter is None and not _has_columns(head, headers):
        delimiter = WHOLE_LINE

    def read(dialect: Dialect) -> tuple[int, list[Tried]]:
        header = head.header(dialect, index)
        if not header:
            return 0, head.records(dialect, index)
        records = head.records(dialect, header.end)
        return len(header.cells) + has_row_names(records, header.cells), records

    quotings = [wanted.quoting] if wanted.quoting else QUOTINGS
    return head.whole_header(best_dialect(delimiter, quotings, read), index, is_given=wanted.quoting is not None)


def _rank(head: Head, header: Header, wanted: WantedColumns) -> tuple[bool, float]:
    return (True, round(head.consistency(header), 1)) if has_text(header.cells, wanted) else (False, 0.0)


def _has_columns(head: Head, headers: Sequence[Header]) -> bool:
    """Return whether all rows have the same number of columns, more than one, though the header has one name."""
    for header in headers:
        records = head.records(header.dialect, header.end)
        width, share = modal_width(records)
        if len(records) > 1 and width > 1 and share == 1:
            return True
    return False


def _delimiter_of_rows(head: Head, delimiters: Sequence[str], start: int, wanted: WantedColumns) -> str:
    """Return the delimiter that cuts nearly all records into the same number of cells, more than one.

    Records broken by line ends may hide it; then the one that cuts most of them into the columns that the sender
    named by number.
    """
    needed = max(map(number_of, (wanted.text_column, wanted.id_column, wanted.label_column)))
    broken: list[tuple[float, int, str]] = []
    for quoting in [wanted.quoting] if wanted.quoting else QUOTINGS:
        tables = [(*_shape(head.records(Dialect(each, quoting), start)), each) for each in delimiters]
        # Of equals, the delimiter that is rarest in prose.
        wide = [(share, ",;|\t".index(each), each) for width, share, each in tables if width >= max(2, needed)]
        if wide and max(wide)[0] >= MOSTLY:
            return max(wide)[2]
        broken += wide if needed > 1 else []
    if broken:
        return max(broken)[2]
    return delimiters[0] if wanted.delimiter is not None else WHOLE_LINE


def _shape(records: Sequence[Tried]) -> tuple[int, float]:
    """Return the most frequent width, and the share of records that have it and whose cells split no quoted part."""
    width, share = modal_width(records)
    odd = sum(any(cell.count('"') % 2 for cell in each.cells) for each in records if each.cells)
    return width, share - odd / max(len(records), 1)


def _without(head: Head, delimiters: Sequence[str], start: int, wanted: WantedColumns, notes: list[str]) -> Found:
    """Return numbered names for a file without a header, as many as its records have cells."""
    delimiter = _delimiter_of_rows(head, delimiters, start, wanted)

    def read(dialect: Dialect) -> tuple[int, list[Tried]]:
        records = head.records(dialect, start)
        return modal_width(records)[0], records

    dialect = best_dialect(delimiter, [wanted.quoting] if wanted.quoting else QUOTINGS, read)
    width = read(dialect)[0]
    return Found([f"column_{number}" for number in range(1, width + 1)], dialect, start, notes)
