"""Reviews written to be hard in a known way, by kind; `robustness.yaml` holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import yaml
from pydantic import BaseModel

from inference.manifest import Golden

SETS = Path(__file__).with_name("robustness.yaml")
FILLER = "{filler}"


class _Sets(BaseModel):
    words: int
    filler: list[str]
    kinds: dict[str, list[Golden]]


@dataclass(frozen=True, slots=True)
class HardKind:
    """Reviews that are hard in one way, and their labels as indices."""

    name: str
    texts: list[str]
    labels: list[int]


def load_kinds(labels: Sequence[str]) -> list[HardKind]:
    """Return every kind, or none when the model has other labels than `negative` and `positive`."""
    sets = _Sets.model_validate(yaml.safe_load(SETS.read_text(encoding="utf-8")))
    if {item.sentiment for items in sets.kinds.values() for item in items} - set(labels):
        return []
    return [
        HardKind(name, [lengthened(item.text, sets.filler, sets.words) for item in items], _places(items, labels))
        for name, items in sets.kinds.items()
    ]


def _places(items: Sequence[Golden], labels: Sequence[str]) -> list[int]:
    return [labels.index(item.sentiment) for item in items]


def lengthened(text: str, filler: Sequence[str], words: int) -> str:
    """Return the text with its mark replaced by sentences of `filler`, so that it has at least `words` words."""
    if FILLER not in text:
        return text
    missing = words - len(text.replace(FILLER, "").split())
    chosen = []
    for sentence in cycle(filler):
        if missing <= 0:
            break
        chosen.append(sentence)
        missing -= len(sentence.split())
    return text.replace(FILLER, " ".join(chosen))
