"""One record of a file, as the readers yield it and PostgreSQL stores it."""

from typing import NamedTuple

# Written in place of a missing text by databases, pandas, R and forms.
NULL_WORDS = {"null", "nan", "n/a", "na", "none", "nil", "-", "--", "#n/a", "(null)", "\\n", "no review"}
MOST_NULL = 20  # characters, with surrounding spaces


class RowError(NamedTuple):
    """The reason why a row cannot be classified."""

    code: str
    detail: str


class Row(NamedTuple):
    """One record. A row with an error is counted and stored like any other, but never classified.

    `files.csv_out.own_cells` restores the record.
    """

    index: int  # type: ignore[assignment]  # the name in results; `tuple.index` is not needed
    line: int  # line of the file on which the record begins, from 1
    text: str
    caller_id: str | None
    label: str | None
    others: list[str]  # the cells without the text cell, in order
    error: RowError | None


def text_error(text: str, most: int, *, null_words: bool = False) -> RowError | None:
    """Return the error of a text, or None if it can be classified.

    Args:
        text: The text.
        most: The most characters that are accepted.
        null_words: Whether words for a missing text, such as NULL, count as a text.
    """
    if not text or text.isspace():
        return RowError("empty_text", "The text is empty or blank.")
    if len(text) < MOST_NULL and not null_words and text.strip().casefold() in NULL_WORDS:
        return RowError(
            "empty_text", f'The text is "{text.strip()}", a word for a missing text; null_words=keep classifies it.'
        )
    if len(text) > most:
        return RowError("text_too_long", f"The text has {len(text):,} characters; at most {most:,} are accepted.")
    return None
