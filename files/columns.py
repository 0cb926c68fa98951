"""Find the columns of the text, the caller's id and the label: by name, and the text by its content as well.

Uploads, `verdict examples`, training and `verdict evaluate` share this definition.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from files.contents import is_text
from files.errors import AmbiguousColumn, NoLabelColumn, NoSuchColumn, NoTextColumn, shown, shown_names
from files.layout import WantedColumns

# The likeliest first: without rows to look at, the first name that occurs is taken. Names are compared by `folded`.
TEXT_NAMES = (
    "review",
    "text",
    "review_text",
    "comment",
    "content",
    "body",
    "message",
    "sentence",
    "feedback",
    "review_body",
    "review_content",
    "review_comment",
    "review_message",
    "review_comment_message",
    "review_detail",
    "full_review",
    "review_full",
    "verified_review",
    "customer_review",
    "user_review",
    "guest_review",
    "app_review",
    "comment_text",
    "comment_body",
    "feedback_text",
    "customer_feedback",
    "user_feedback",
    "customer_comment",
    "user_comment",
    "text_body",
    "body_text",
    "free_text",
    "verbatim",
    "opinion",
    "phrase",
    "tweet",
    "tweet_text",
    "open_ended_response",
)
ID_NAMES = ("id", "review_id")
LABEL_NAMES = ("label", "sentiment", "target", "class", "polarity", "sentiment_label")
# Taken as the label only where a label is needed and no column has one of the names above.
RATING_NAMES = ("stars", "rating", "score", "overall", "star_rating", "review_rating", "review_stars", "review_score")

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Chosen(NamedTuple):
    """Indices of the columns that Verdict reads."""

    text: int
    id: int | None
    label: int | None


@lru_cache(maxsize=1_000)
def folded(name: str) -> str:
    """Return the name without case, spaces, punctuation and plural: `Review Texts` and `reviewText` become equal."""
    words = _WORD.findall(_CAMEL.sub(" ", unicodedata.normalize("NFKC", name)).casefold())
    return "".join(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words
    )


_TEXT_RANKS = {folded(name): rank for rank, name in reversed(list(enumerate(TEXT_NAMES)))}
_RATINGS = {folded(name) for name in RATING_NAMES}
_LABELS = {folded(name) for name in LABEL_NAMES}


def is_numeric(name: str) -> bool:
    """Return whether a column of this name may hold small numbers: ratings or labels."""
    return folded(name) in _RATINGS or folded(name) in _LABELS


def is_rating(name: str) -> bool:
    """Return whether a column of this name holds star ratings."""
    return folded(name) in _RATINGS


def choose(columns: Sequence[str], wanted: WantedColumns, sample: Iterable[Sequence[str]] = ()) -> Chosen:
    """Return the columns that the sender named, or else those with a known name.

    Args:
        columns: The names of all columns.
        wanted: The options of the sender; a column is given by its name or its number from 1.
        sample: Some records; a column of numbers, dates or codes is not taken as the text.

    Raises:
        NoTextColumn: no column has the name of a text column, or it holds no texts.
        NoSuchColumn: a wanted column does not exist.
        AmbiguousColumn: two columns could be the text, or a wanted name occurs twice.
        NoLabelColumn: a label is needed and no column has one.
    """
    text = _text(columns, wanted, list(sample))
    label = _optional(columns, wanted.label_column, LABEL_NAMES, text)
    if label is None and wanted.needs_label:
        label = _optional(columns, None, RATING_NAMES, text)
        if label is None:
            raise NoLabelColumn(
                f"No column has a known name for labels ({', '.join(LABEL_NAMES[:3])}, …); "
                f"name it with label_column; the columns are {shown_names(columns)}."
            )
    return Chosen(text, _optional(columns, wanted.id_column, ID_NAMES, text), label)


def has_text(columns: Sequence[str], wanted: WantedColumns) -> bool:
    """Return whether at least one of the columns has the name of a text column."""
    if wanted.text_column is not None:
        return bool(_named(columns, wanted.text_column))
    return any(folded(column) in _TEXT_RANKS for column in columns)


def _text(columns: Sequence[str], wanted: WantedColumns, sample: Sequence[Sequence[str]]) -> int:
    if wanted.text_column is not None:
        return _only(columns, wanted.text_column)
    known = [place for place, column in enumerate(columns) if folded(column) in _TEXT_RANKS]
    if not known:
        raise NoTextColumn(
            f"No column has a known name for texts ({', '.join(TEXT_NAMES[:4])}, …); name it with text_column, or set "
            f"header=none if the first line is a row; the columns are {shown_names(columns)}."
        )
    values = {place: [cells[place] for cells in sample if place < len(cells)] for place in known}
    fitting = {place: is_text(values[place]) for place in known} if len(columns) > 1 else dict.fromkeys(known, None)
    best = [place for place in known if fitting[place]] or [place for place in known if fitting[place] is None]
    if not best:
        raise NoTextColumn(_no_texts(columns, known[0], values[known[0]], sample))
    best.sort(key=lambda place: _TEXT_RANKS[folded(columns[place])])
    first, *others = best
    twins = [
        place
        for place in known
        if place != first and fitting[place] is not False and folded(columns[place]) == folded(columns[first])
    ]
    if twins:
        raise AmbiguousColumn(_both_named(columns, first, twins[0]))
    rivals = [place for place in others if fitting[place] and values[place] != values[first]]
    if rivals:
        raise AmbiguousColumn(
            f"{_with_sample(columns, first, values[first])} and {_with_sample(columns, rivals[0], values[rivals[0]])} "
            "could both hold the reviews; name the right one with text_column."
        )
    return first


def _no_texts(columns: Sequence[str], place: int, values: Sequence[str], sample: Sequence[Sequence[str]]) -> str:
    texts = [
        other
        for other in range(len(columns))
        if other != place and is_text([cells[other] for cells in sample if other < len(cells)])
    ]
    likely = f"; {shown(columns[texts[0]])} looks like them" if texts else ""
    return (
        f"{_with_sample(columns, place, values)} has the name of a text column and holds no texts; "
        f"name the column of the reviews with text_column{likely}."
    )


def _with_sample(columns: Sequence[str], place: int, values: Iterable[str]) -> str:
    example = next((value for value in values if value.strip()), "")
    return f"Column {place + 1} {shown(columns[place])} (such as {shown(example)})"


def _optional(columns: Sequence[str], wanted: str | None, known: Sequence[str], text: int) -> int | None:
    """Return the wanted column, or else a known one if it is not the text and its name occurs once.

    An optional column that nobody asked for never refuses a file.
    """
    if wanted is not None:
        return _only(columns, wanted)
    for name in known:
        places = [place for place, column in enumerate(columns) if folded(column) == folded(name)]
        if len(places) == 1 and places != [text]:
            return places[0]
    return None


def _only(columns: Sequence[str], name: str) -> int:
    places = _named(columns, name)
    if not places:
        raise NoSuchColumn(f"There is no column {shown(name)}; the columns are {shown_names(columns)}.")
    if len(places) > 1:
        raise AmbiguousColumn(_both_named(columns, *places[:2]))
    return places[0]


def _both_named(columns: Sequence[str], first: int, second: int) -> str:
    return (
        f"The columns {first + 1} and {second + 1} are both named {shown(columns[first])}; "
        "rename one of them, or give the column's number instead of its name."
    )


def _named(columns: Sequence[str], name: str) -> list[int]:
    """Return the columns of this name: spelled exactly, else without case and spaces, else folded, else by number."""
    for spelling in (str, _plain, folded):
        places = [place for place, column in enumerate(columns) if spelling(column) == spelling(name) != ""]
        if places:
            return places
    number = number_of(name)
    return [number - 1] if 1 <= number <= len(columns) else []


def number_of(name: str | None) -> int:
    """Return the number by which a column is given; 0 if it is given by its name or not at all."""
    digits = (name or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 5 else 0


def _plain(name: str) -> str:
    return name.strip(" ").casefold()  # keeps tabs: a tab may be the delimiter, which is not known yet
