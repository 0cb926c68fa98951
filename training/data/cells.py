"""The cells of a data set: text, label and group of each row."""

from dataclasses import dataclass
from typing import NamedTuple

from files.row import RowError


class Cell(NamedTuple):
    """One row: line number, text, label and group (empty if missing), and the fault of an unusable row."""

    line: int
    text: str
    label: str
    group: str
    fault: RowError | None = None


@dataclass(frozen=True, slots=True)
class Cells:
    """All rows; `classes` are the names that the schema of the file gives to its numbered labels."""

    rows: list[Cell]
    label_column: str
    classes: list[str] | None = None
