"""Generate labelled sentences from patterns, of kinds that are rare in real data sets, such as praise by negation.

`templates.yaml` has the patterns: some for training, and others for measuring only.
"""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import BaseModel, ConfigDict

from training.recipes.options import TemplatesConfig

PATTERNS = Path(__file__).with_name("templates.yaml")
SLOT = re.compile(r"\{(\w+)\}")
# The article before a slot: "a" becomes "an" before a vowel.
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")
# Draws for each sentence; repeated sentences are dropped, so a pattern with few words gives fewer sentences.
TRIES = 3

Part = Literal["train", "held_out"]
PARTS: tuple[Part, ...] = ("train", "held_out")


class Kind(BaseModel):
    """The patterns of one kind; all their sentences have one sentiment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sentiment: str
    train: list[str]
    held_out: list[str]


class Patterns(BaseModel):
    """The whole file: words by slot, patterns by kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: dict[str, list[str]]
    patterns: dict[str, Kind]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One generated sentence, its sentiment and the kind of its pattern."""

    text: str
    sentiment: str
    kind: str


def load_patterns(path: Path = PATTERNS) -> Patterns:
    """Read and check the file of patterns."""
    return Patterns.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def sentences(part: Part, per_pattern: int, seed: int) -> list[Sentence]:
    """Return at most `per_pattern` distinct sentences for each pattern of a part; the seed makes them repeatable."""
    patterns = load_patterns()
    draw = random.Random(seed)  # noqa: S311 - a repeatable draw, not a secret
    made: dict[str, Sentence] = {}
    for name, kind in patterns.patterns.items():
        for pattern in kind.train if part == "train" else kind.held_out:
            for text in _filled(pattern, patterns.words, per_pattern, draw):
                made.setdefault(text, Sentence(text, kind.sentiment, name))
    return list(made.values())


def write_sentences(config: TemplatesConfig) -> dict[str, int]:
    """Write each part as a Parquet file with the columns text, sentiment and kind; return the rows of each.

    The part for measuring is drawn with `seed + 1`.
    """
    config.output.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    for place, part in enumerate(PARTS):
        made = sentences(part, config.per_pattern, config.seed + place)
        columns = {name: [getattr(each, name) for each in made] for name in ("text", "sentiment", "kind")}
        pq.write_table(pa.table(columns), config.output / f"{part}.parquet")
        counts[part] = len(made)
    return counts


def _filled(pattern: str, words: Mapping[str, list[str]], count: int, draw: random.Random) -> Iterator[str]:
    seen: set[str] = set()
    for _ in range(count * TRIES):
        if len(seen) == count:
            return
        text = ARTICLE.sub(r"\1n ", SLOT.sub(lambda slot: draw.choice(words[slot[1]]), pattern))
        text = text[:1].upper() + text[1:]
        if text not in seen:
            seen.add(text)
            yield text
