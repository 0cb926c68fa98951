"""Markdown tables, and the first line of every generated page."""

from collections.abc import Iterable, Sequence

NOTICE = "<!-- Generated from the code by `make docs`; edit the code, not this file. -->"


def page(title: str, *blocks: str) -> str:
    """Return a generated page: title, notice and blocks, with one blank line between them."""
    return "\n\n".join([f"# {title}", NOTICE, *(block.strip("\n") for block in blocks if block.strip())]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells may hold line breaks and pipes."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Return `text` as inline code, or nothing where it is empty."""
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def plain(text: str) -> str:
    """Return text for a paragraph or cell: outside of inline code, `*` and `<` are no markup."""
    parts = text.split("`")
    parts[::2] = [part.replace("*", "\\*").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
