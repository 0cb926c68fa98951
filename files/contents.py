"""Recognise the kind of a cell's value: number, date, truth value, label, code, or else prose."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

Kind = Literal["number", "date", "truth", "label", "code"]

_NUMBER = re.compile(r"[-+]?[$€£]?\d[\d., \u00a0]{0,20}([eE][-+]?\d+)?\s?%?")
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ,]+\d{1,2}:\d{2}.{0,20})?"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}|\d{1,2}:\d{2}(:\d{2})?"
)
_CODE = re.compile(r"[!-~]*\d[!-~]*|https?://\S+|[\w.+-]+@[\w-]+\.[\w.]+")
_TRUTH = {"true", "false", "yes", "no", "y", "n", "t", "f"}
_LABELS = {"negative", "neutral", "positive", "neg", "neu", "pos"}
MOSTLY = 0.9
_CATEGORY_CHARS = 30


def kind_of(value: str) -> Kind | None:
    """Return the kind of a value, or None for prose; a single word without digits counts as prose."""
    word = value.strip()
    if len(word) > 60:
        return None
    if _NUMBER.fullmatch(word):
        return "number"
    if _DATE.fullmatch(word):
        return "date"
    lower = word.lower()
    if lower in _TRUTH:
        return "truth"
    if lower in _LABELS:
        return "label"
    return "code" if _CODE.fullmatch(word) else None


def is_text(values: Sequence[str]) -> bool | None:
    """Return whether a column with these values may hold prose; None if all are empty."""
    filled = [value for value in values if value.strip()]
    if not filled:
        return None
    return sum(kind_of(value) is not None for value in filled) < MOSTLY * len(filled)


def column_kind(values: Sequence[str]) -> Kind | None:
    """Return the kind of nearly all filled values of a column, or None if they differ."""
    kinds = Counter(kind_of(value) for value in values if value.strip())
    kind, count = kinds.most_common(1)[0] if kinds else (None, 0)
    return kind if count >= MOSTLY * kinds.total() else None


def few_values(values: Sequence[str]) -> frozenset[str] | None:
    """Return the distinct values of a column of categories, or None if its values are long or hardly repeat."""
    filled = [value.strip() for value in values if value.strip()]
    distinct = frozenset(filled)
    if len(filled) >= 2 * len(distinct) > 0 and all(len(value) <= _CATEGORY_CHARS for value in distinct):
        return distinct
    return None
