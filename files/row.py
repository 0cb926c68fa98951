"""One record of a file, as the readers yield it and the store keeps it."""

from typing import NamedTuple

# What databases, pandas, R and forms write where there is no text.
NULL_WORDS = {"null", "nan", "n/a", "na", "none", "nil", "-", "--", "#n/a", "(null)", "\\n", "no review"}
MOST_NULL = 20  # characters, spaces around them included


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


def text_error(text: str, most: int, *, null_words: bool = False) -> RowError | None:
    """Return what is wrong with a text itself, if anything is.

    Args:
        text: The text.
        most: Most characters that are taken.
        null_words: Whether words that stand for nothing, such as NULL, are taken for a text.
    """
    if not text or text.isspace():
        return RowError("empty_text", "The text is empty or blank.")
    if len(text) < MOST_NULL and not null_words and text.strip().casefold() in NULL_WORDS:
        return RowError(
            "empty_text", f'The text is "{text.strip()}", which stands for none; null_words=keep judges it.'
        )
    if len(text) > most:
        return RowError("text_too_long", f"The text has {len(text):,} characters; at most {most:,} are taken.")
    return None
