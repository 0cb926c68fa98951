"""Which columns hold the text, the caller's id and the label. Called by files.csv_in and files.ndjson."""

from collections.abc import Sequence
from typing import NamedTuple

from files.errors import AmbiguousColumn, NoSuchColumn, NoTextColumn, shown, shown_names
from files.layout import Wanted

# The first that is there is taken.
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
)
ID_NAMES = ("id", "review_id")
LABEL_NAMES = ("label", "sentiment")


class Chosen(NamedTuple):
    """Indices of the columns that mean something to us."""

    text: int
    id: int | None
    label: int | None


def choose(columns: Sequence[str], wanted: Wanted) -> Chosen:
    """Find the columns that are wanted, or else those whose names are known.

    Raises:
        NoTextColumn: when no name is known and none is wanted.
        NoSuchColumn: when a wanted column is not there.
        AmbiguousColumn: when the text column or a wanted one is there twice.
    """
    text = _text(columns, wanted)
    return Chosen(
        text,
        _optional(columns, wanted.id_column, ID_NAMES, text),
        _optional(columns, wanted.label_column, LABEL_NAMES, text),
    )


def has_text(columns: Sequence[str], wanted: Wanted) -> bool:
    """Whether a text column is among these, be it once or more often."""
    names = TEXT_NAMES if wanted.text_column is None else [wanted.text_column]
    return any(_places(columns, name) for name in names)


def _text(columns: Sequence[str], wanted: Wanted) -> int:
    if wanted.text_column is not None:
        return _only(columns, wanted.text_column)
    for name in TEXT_NAMES:
        if _places(columns, name):
            return _only(columns, name)
    raise NoTextColumn(
        f"No column is named like one of texts ({', '.join(TEXT_NAMES[:4])}, …); "
        f"say with text_column which it is; the columns are {shown_names(columns)}."
    )


def _optional(columns: Sequence[str], wanted: str | None, known: Sequence[str], text: int) -> int | None:
    """The wanted column, or a known one that is not the text and stands there once: nobody asked for it."""
    if wanted is not None:
        return _only(columns, wanted)
    for name in known:
        places = _places(columns, name)
        if len(places) == 1 and places != [text]:
            return places[0]
    return None


def _only(columns: Sequence[str], name: str) -> int:
    places = _places(columns, name)
    if not places:
        raise NoSuchColumn(f"There is no column {shown(name)}; the columns are {shown_names(columns)}.")
    if len(places) > 1:
        numbers = " and ".join(str(place + 1) for place in places[:2])
        raise AmbiguousColumn(f"The columns {numbers} are both named {shown(columns[places[0]])}; rename one of them.")
    return places[0]


def _places(columns: Sequence[str], name: str) -> list[int]:
    """Where a name stands exactly, or else where it stands but for case and spaces around it."""
    exact = [index for index, column in enumerate(columns) if column == name]
    return exact or [index for index, column in enumerate(columns) if _plain(column) == _plain(name)]


def _plain(name: str) -> str:
    return name.strip(" ").casefold()  # no tab: it may be the delimiter that is still looked for
