"""Map the values of a label column to labels; the whole set of values decides, never one value alone.

Evaluated jobs, `verdict examples`, training and `verdict evaluate` share this definition.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from files.columns import is_rating
from files.errors import WrongLabels, shown

NEGATIVE, NEUTRAL, POSITIVE = "negative", "neutral", "positive"
SYNONYMS = {"neg": NEGATIVE, "neu": NEUTRAL, "pos": POSITIVE}
_TRUTH_VALUES = {"false": "0", "true": "1"}
_WHOLE = re.compile(r"[-+]?\d{1,9}(\.0*)?")
_DECIMAL = re.compile(r"[-+]?\d*\.\d+")
_UNNAMED = re.compile(r"(column_\d+)?")  # the names that files.header gives columns without a header
_BINARY = {0: NEGATIVE, 1: POSITIVE}
_POLARITY = {-1: NEGATIVE, 0: NEUTRAL, 1: POSITIVE}
_SENTIMENT_140 = {0: NEGATIVE, 2: NEUTRAL, 4: POSITIVE}
_STARS = {1: NEGATIVE, 2: NEGATIVE, 3: NEUTRAL, 4: POSITIVE, 5: POSITIVE}
_MOST_SHOWN = 10


class Meanings(NamedTuple):
    """The label of each folded value; `problem` is the reason if numbers among the values have no label."""

    of: dict[str, str]
    problem: str | None = None


def folded(value: str) -> str:
    """Return one spelling for equal values: `positive` for `Positive `; `1` for `1.0`, `+1` and `true`."""
    word = value.strip(" \t\r\n\u00a0").casefold()
    if _WHOLE.fullmatch(word):
        return str(int(word.partition(".")[0]))
    return _TRUTH_VALUES.get(word, word)


def parse_told(written: str) -> dict[str, str]:
    """Parse a mapping such as `1:negative,5:positive`; its keys are folded.

    Raises:
        WrongLabels: the mapping cannot be read.
    """
    told: dict[str, str] = {}
    for pair in filter(str.strip, written.split(",")):
        value, colon, label = pair.rpartition(":")
        if not colon or not folded(value) or not label.strip():
            raise WrongLabels(f"{shown(pair)} is not value:label; write labels as 1:negative,5:positive.")
        told[folded(value)] = label.strip()
    if not told:
        raise WrongLabels("No label is given; write labels as 1:negative,5:positive.")
    return told


def meanings(
    values: Iterable[str],
    labels: Sequence[str] | None,
    *,
    column: str = "",
    told: Mapping[str, str] | None = None,
    option: str = "labels",
) -> Meanings:
    """Return the label of each folded value; values without a label are left out.

    Args:
        values: The distinct values of the column, folded.
        labels: Names of the model's labels; their indices may stand in files, too. None: any word is a label.
        column: Name of the column; the numbers of a column of ratings are stars.
        told: The user's mapping of some or all values; the other values are then read as words only.
        option: Name of the user's option for the mapping, for messages.

    Raises:
        WrongLabels: `told` names a label that `labels` lacks.
    """
    names = None if labels is None else {name.casefold(): name for name in labels}
    found: dict[str, str] = {}
    numbers: set[int] = set()
    decimals: list[str] = []
    for value in filter(None, values):
        if told and value in told:
            found[value] = _told_label(told[value], names)
        elif names is not None and value in names:
            found[value] = names[value]
        elif _WHOLE.fullmatch(value):
            numbers.add(int(value))
        elif names is None and _DECIMAL.fullmatch(value):
            decimals.append(value)
        elif names is None:
            found[value] = SYNONYMS.get(value, value)
        elif SYNONYMS.get(value) in names:
            found[value] = names[SYNONYMS[value]]
    if told or not (numbers or decimals) or (names is not None and found and not numbers <= _BINARY.keys()):
        return Meanings(found)  # numbers beside words are unknown values, like other words
    scale = None if decimals else _scale(numbers, names, labels, column)
    if scale is None or (names is None and found):
        words = [*decimals, *(found if names is None else ())]
        return Meanings(found, _ambiguous([*map(str, sorted(numbers)), *words], column, option))
    return Meanings(found | scale)


def _told_label(label: str, names: Mapping[str, str] | None) -> str:
    word = SYNONYMS.get(label.casefold(), label.casefold())
    if names is None:
        return word
    if word not in names:
        raise WrongLabels(f"The model has no label {shown(label)}; it has {', '.join(names.values())}.")
    return names[word]


def _scale(
    numbers: set[int], names: Mapping[str, str] | None, labels: Sequence[str] | None, column: str
) -> dict[str, str] | None:
    """Return the labels of the numbers, by a usual scale or as indices of the model's labels; None if these differ."""
    scale = _usual_scale(numbers, column)
    if labels is None or names is None:
        return {str(number): scale[number] for number in numbers} if scale else None
    usual = None
    if scale and {NEGATIVE, POSITIVE} <= names.keys():
        usual = {str(number): names[scale[number]] for number in numbers if scale[number] in names}
    if is_rating(column):
        return usual
    if numbers in ({0}, {1}) and NEUTRAL in names:
        return None  # 0 is the lowest of 0, 1, 2 or the middle of -1, 0, 1; so is 1 the middle or the highest
    if 0 not in numbers or not numbers <= set(range(len(labels))):
        return usual
    places = {str(number): labels[number] for number in numbers}
    return places if usual is None or usual == places else None


def _usual_scale(numbers: set[int], column: str) -> Mapping[int, str] | None:
    if is_rating(column) and numbers <= _STARS.keys():
        return _STARS
    if numbers == {1} and _UNNAMED.fullmatch(column):
        return None  # 1 is true or one star: only a column name could show it
    for scale, needed in ((_BINARY, set()), (_POLARITY, {-1}), (_SENTIMENT_140, {0, 4}), (_STARS, {5})):
        if numbers <= scale.keys() and needed <= numbers:
            return scale
    return None


def _ambiguous(values: Sequence[str], column: str, option: str) -> str:
    rest = f" and {len(values) - _MOST_SHOWN:,} more" if len(values) > _MOST_SHOWN else ""
    named = f"The label column {shown(column)}" if column else "The label column"
    ends = ((values[0], NEGATIVE), (values[-1], POSITIVE)) if len(values) > 1 else ((values[0], POSITIVE),)
    few = ",".join(f"{value}:{label}" for value, label in ends)
    return (
        f"{named} holds {', '.join(values[:_MOST_SHOWN])}{rest}, and the meaning of these values is not certain; "
        f"give each value its label, as in {option}={few}."
    )
