"""Which columns hold the text, the caller's id and the label: by name, and for the text by content as well.

One definition for uploads, `verdict examples`, training and `verdict evaluate`.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from files.contents import is_text
from files.errors import AmbiguousColumn, NoLabelColumn, NoSuchColumn, NoTextColumn, shown, shown_names
from files.layout import WantedColumns

# Without rows to look at, the first that is there is taken. Names are compared folded, see `folded`.
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
# Taken as the label only where labels are needed and none of the names above is there.
RATING_NAMES = ("stars", "rating", "score", "overall", "star_rating", "review_rating", "review_stars", "review_score")

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Chosen(NamedTuple):
    """Indices of the columns that mean something to us."""

    text: int
    id: int | None
    label: int | None


@lru_cache(maxsize=1_000)
def folded(name: str) -> str:
    """Return the name without case, spaces, signs and plural: `Review Texts`, `reviewText`, `review_text` are equal."""
    words = _WORD.findall(_CAMEL.sub(" ", unicodedata.normalize("NFKC", name)).casefold())
    return "".join(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words
    )


_TEXT_RANKS = {folded(name): rank for rank, name in reversed(list(enumerate(TEXT_NAMES)))}
_RATINGS = {folded(name) for name in RATING_NAMES}


def is_rating(name: str) -> bool:
    """Return whether the column is named like one of stars."""
    return folded(name) in _RATINGS


def choose(columns: Sequence[str], wanted: WantedColumns, sample: Iterable[Sequence[str]] = ()) -> Chosen:
    """Find the columns that are wanted, or else those whose names are known.

    Args:
        columns: The names of all columns.
        wanted: What the sender said; a column is told by its name or its number from 1.
        sample: Some records, by which columns are left out that hold numbers, dates or codes.

    Raises:
        NoTextColumn: no column is named like a text, or the one that is holds none.
        NoSuchColumn: a wanted column is not there.
        AmbiguousColumn: two columns could be the text, or a wanted name stands twice.
        NoLabelColumn: a label is needed and there is none.
    """
    text = _text(columns, wanted, list(sample))
    label = _optional(columns, wanted.label_column, LABEL_NAMES, text)
    if label is None and wanted.needs_label:
        label = _optional(columns, None, RATING_NAMES, text)
        if label is None:
            raise NoLabelColumn(
                f"No column is named like one of labels ({', '.join(LABEL_NAMES[:3])}, …); "
                f"say with label_column which it is; the columns are {shown_names(columns)}."
            )
    return Chosen(text, _optional(columns, wanted.id_column, ID_NAMES, text), label)


def has_text(columns: Sequence[str], wanted: WantedColumns) -> bool:
    """Return whether a text column is among these by its name, be it once or more often."""
    if wanted.text_column is not None:
        return bool(_named(columns, wanted.text_column))
    return any(folded(column) in _TEXT_RANKS for column in columns)


def _text(columns: Sequence[str], wanted: WantedColumns, sample: Sequence[Sequence[str]]) -> int:
    if wanted.text_column is not None:
        return _only(columns, wanted.text_column)
    known = [place for place, column in enumerate(columns) if folded(column) in _TEXT_RANKS]
    if not known:
        raise NoTextColumn(
            f"No column is named like one of texts ({', '.join(TEXT_NAMES[:4])}, …); say with text_column which it is, "
            f"or header=none if the first line is no header; the columns are {shown_names(columns)}."
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
            "could both be the reviews; say with text_column which is."
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
        f"{_with_sample(columns, place, values)} is named like reviews and holds none; "
        f"say with text_column where they are{likely}."
    )


def _with_sample(columns: Sequence[str], place: int, values: Iterable[str]) -> str:
    example = next((value for value in values if value.strip()), "")
    return f"Column {place + 1} {shown(columns[place])} (such as {shown(example)})"


def _optional(columns: Sequence[str], wanted: str | None, known: Sequence[str], text: int) -> int | None:
    """The wanted column, or a known one that is not the text and stands there once: nobody asked for it."""
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
        "rename one of them, or say the number of the one that is meant."
    )


def _named(columns: Sequence[str], name: str) -> list[int]:
    """Where a name stands exactly, or but for case and spaces, or folded; or the column of that number, from 1."""
    for spelling in (str, _plain, folded):
        places = [place for place, column in enumerate(columns) if spelling(column) == spelling(name) != ""]
        if places:
            return places
    number = int(name) if name.isascii() and name.isdigit() and len(name) < 5 else 0
    return [number - 1] if 1 <= number <= len(columns) else []


def _plain(name: str) -> str:
    return name.strip(" ").casefold()  # no tab: it may be the delimiter that is still looked for
