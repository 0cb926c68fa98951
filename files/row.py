"""One record of a file, as the readers yield it and the store keeps it."""

from typing import NamedTuple


class RowError(NamedTuple):
    """Why a row holds no review that could be judged."""

    code: str
    detail: str


class Row(NamedTuple):
    """One record. A row with an error is counted and kept like any other; it is only never classified.

    `files.csv_out.own_cells` puts the record together again.
    """

    index: int  # type: ignore[assignment]  # what every result calls it; nobody needs tuple.index of a row
    line: int  # the physical line on which the record starts, from 1
    text: str
    caller_id: str | None
    label: str | None
    others: list[str]  # the cells without the text cell, in order
    error: RowError | None


def text_error(text: str, most: int) -> RowError | None:
    """What is wrong with a text itself, if anything is; `most` is in characters."""
    if not text or text.isspace():
        return RowError("empty_text", "The text is empty or blank.")
    if len(text) > most:
        return RowError("text_too_long", f"The text has {len(text):,} characters; at most {most:,} are taken.")
    return None
