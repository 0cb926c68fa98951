"""What the values of a label column mean: the whole set of values decides, never one value alone.

One definition for jobs that are evaluated, for `verdict examples`, for training and for `verdict evaluate`.
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
_UNNAMED = re.compile(r"(column_\d+)?")  # as files.header names the columns of a file without a header
_BINARY = {0: NEGATIVE, 1: POSITIVE}
_POLARITY = {-1: NEGATIVE, 0: NEUTRAL, 1: POSITIVE}
_SENTIMENT_140 = {0: NEGATIVE, 2: NEUTRAL, 4: POSITIVE}
_STARS = {1: NEGATIVE, 2: NEGATIVE, 3: NEUTRAL, 4: POSITIVE, 5: POSITIVE}
_MOST_SHOWN = 10


class Meanings(NamedTuple):
    """The label of each folded value; `problem` says why numbers among the values have none."""

    of: dict[str, str]
    problem: str | None = None


def folded(value: str) -> str:
    """Return one spelling for values that mean the same: `Positive ` and `positive`; `1.0`, `+1`, `true` and `1`."""
    word = value.strip(" \t\r\n\u00a0").casefold()
    if _WHOLE.fullmatch(word):
        return str(int(word.partition(".")[0]))
    return _TRUTH_VALUES.get(word, word)


def parse_told(written: str) -> dict[str, str]:
    """Return the mapping that `1:negative,5:positive` writes, by folded value.

    Raises:
        WrongLabels: it is written in another way.
    """
    told: dict[str, str] = {}
    for pair in filter(str.strip, written.split(",")):
        value, colon, label = pair.rpartition(":")
        if not colon or not folded(value) or not label.strip():
            raise WrongLabels(f"{shown(pair)} is no value:label; write labels as 1:negative,5:positive.")
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
    """Return what each of the folded values means; a value that means no label is left out.

    Args:
        values: The distinct values of the column, folded.
        labels: Names of the model's labels, whose places are numbers that files may use too; None: words are labels.
        column: Name of the column: one named like a rating has stars.
        told: What the user says of some or all values; the others are then read as words only.
        option: Name of the option by which the user can say it.

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
        return Meanings(found)  # numbers beside the words of labels are unknown like any other word
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
    """What the numbers mean: a usual scale, or the places of the model's labels; None if the two do not agree."""
    scale = _usual_scale(numbers, column)
    if labels is None or names is None:
        return {str(number): scale[number] for number in numbers} if scale else None
    usual = None
    if scale and {NEGATIVE, POSITIVE} <= names.keys():
        usual = {str(number): names[scale[number]] for number in numbers if scale[number] in names}
    if is_rating(column) or 0 not in numbers or not numbers <= set(range(len(labels))):
        return usual
    if numbers == {0} and NEUTRAL in names:
        return None  # the lowest of 0, 1, 2, or the middle of -1, 0, 1
    places = {str(number): labels[number] for number in numbers}
    return places if usual is None or usual == places else None


def _usual_scale(numbers: set[int], column: str) -> Mapping[int, str] | None:
    if is_rating(column) and numbers <= _STARS.keys():
        return _STARS
    if numbers == {1} and _UNNAMED.fullmatch(column):
        return None  # true, or one star: without the column's name nothing tells
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
        f"{named} holds {', '.join(values[:_MOST_SHOWN])}{rest}, and what these mean is not certain; "
        f"say it with {option}={few}, each value with its label."
    )
