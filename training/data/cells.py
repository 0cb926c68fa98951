"""The cells of a file that training needs."""

from dataclasses import dataclass
from typing import NamedTuple

from files.row import RowError


class Cell(NamedTuple):
    """One row: its line, text, label and group, empty where there is none, and why it cannot be used, if anything."""

    line: int
    text: str
    label: str
    group: str
    fault: RowError | None = None


@dataclass(frozen=True, slots=True)
class Cells:
    """All rows; `classes` are the names that the file's own schema gives to the numbers of its labels."""

    rows: list[Cell]
    label_column: str
    classes: list[str] | None = None
