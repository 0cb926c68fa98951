"""Reviews to send: drawn from a data set, or generated with the lengths of real reviews."""

import random
from pathlib import Path

IMDB = Path("../shared/data/imdb/test_half.parquet")
WORDS = (
    "the a of and to it is in this that was film movie story plot actor scene music ending camera script director "
    "character great awful boring brilliant slow moving funny dull clever weak strong warm cold long short never "
    "always almost quite very too well badly played written shot made felt looked seemed left kept gave took"
)
# The medians of the ten deciles of IMDB test reviews, by their number of words.
WORDS_IN_REVIEW = (62, 107, 126, 141, 161, 186, 220, 276, 372, 587)


def read_reviews(dataset: Path | None, limit: int, seed: int = 0) -> tuple[list[str], str]:
    """Return `limit` texts, drawn from the data set or generated without one, and the name of their source."""
    draw = random.Random(seed)
    if dataset is None or not dataset.exists():
        return [generated(draw, draw.choice(WORDS_IN_REVIEW)) for _ in range(limit)], f"generated, seed {seed}"
    import pyarrow.parquet  # noqa: PLC0415  generated reviews need no pyarrow

    column = pyarrow.parquet.read_table(dataset, columns=["text"])["text"]
    every = range(len(column))
    places = draw.choices(every, k=limit) if limit > len(every) else draw.sample(every, limit)
    return column.take(places).to_pylist(), dataset.name


def generated(draw: random.Random, words: int) -> str:
    """Return a text of random words."""
    return " ".join(draw.choices(WORDS.split(), k=words))


def short_reviews(count: int, seed: int = 0) -> list[str]:
    """Return distinct texts of about ten words, thousands of which are classified in a few seconds."""
    draw = random.Random(seed)
    return [f"{generated(draw, draw.randint(6, 14))} {number}" for number in range(count)]
