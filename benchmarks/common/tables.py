"""Tables of figures for the terminal and for Markdown; the first row is the head."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

Rows = Sequence[Sequence[str]]


def show_table(console: Console, title: str, rows: Rows, *, lines: bool = False) -> None:
    """Print a table, with a line between rows if `lines` is set."""
    head, *body = rows
    table = Table(*head, title=title, show_lines=lines)
    for row in body:
        table.add_row(*row)
    console.print(table)


def markdown(title: str, rows: Rows) -> list[str]:
    """Return the lines of a section with one table."""
    head, *body = rows
    return [f"## {title}", "", *(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)), ""]
