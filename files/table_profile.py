"""The usual shape of a table's records, by which joined, broken and shifted records are recognised."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from files.contents import Kind, column_kind, few_values, kind_of
from files.dialect import Dialect, trimmed


class Profile(NamedTuple):
    """The shape of a table: its width, and for each column its kind or its distinct values, if it has either."""

    width: int
    kinds: tuple[Kind | frozenset[str] | None, ...]
    delimiter: str

    def fits(self, cells: Sequence[str] | None) -> bool:
        """Return whether the cells look like a whole record: as wide as the header, and of their columns' kinds."""
        cells = trimmed(list(cells or ()), self.width)
        if len(cells) != self.width or self.width < 2:
            return False
        if any(self.kinds):
            typed = [_is_of(cell, kind) for cell, kind in zip(cells, self.kinds, strict=True) if kind and cell.strip()]
            return bool(typed) and all(typed)
        # Prose contains commas and semicolons, but hardly any tabs or pipes.
        return self.delimiter in "\t|" and sum(bool(cell.strip()) for cell in cells) > 1

    def contradicts(self, cells: Sequence[str]) -> bool:
        """Return whether a filled cell is of another kind than its column."""
        return any(
            kind is not None and cell.strip() and not _is_of(cell, kind)
            for cell, kind in zip(cells, self.kinds, strict=False)
            if not isinstance(kind, frozenset)
        )

    def fits_from(self, first: int, cells: Sequence[str]) -> bool:
        """Return whether the cells from column `first` on are of their columns' kinds, one of them filled at least."""
        typed = [
            _is_of(cell, kind) for cell, kind in zip(cells[first:], self.kinds[first:], strict=True) if kind and cell
        ]
        return bool(typed) and all(typed)


def _is_of(cell: str, kind: Kind | frozenset[str]) -> bool:
    return cell.strip() in kind if isinstance(kind, frozenset) else kind_of(cell) == kind


def profile_of(records: Iterable[Sequence[str]], width: int, delimiter: str) -> Profile:
    """Return the profile of the records that are at least this wide."""
    columns = list(zip(*(cells[:width] for cells in records if len(cells) >= width), strict=True))
    kinds = [column_kind(values) or few_values(values) for values in columns]
    return Profile(width, tuple(kinds) or (None,) * width, delimiter)


def swallows(lines: Sequence[str], profile: Profile) -> bool:
    """Return whether lines of this record look like whole records that an unpaired quote has joined."""
    plain = Dialect(profile.delimiter, "none")
    if any(
        profile.fits(plain.line(line)) or profile.fits(Dialect(profile.delimiter).line(line)) for line in lines[1:-1]
    ):
        return True
    return profile.fits(plain.line(lines[0])) and profile.fits(plain.line(lines[-1]))
