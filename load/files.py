"""Files in the shape of the well-known Kaggle CSV of IMDb reviews: columns `review,sentiment`. Called by load.bulk."""

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from load.reviews import read_reviews

COLUMNS = ("review", "sentiment")
LABELS = ("negative", "positive")
GENERATED = 40_000
DATA = Path("../shared/data/imdb")


def write_table(path: Path, rows: int) -> None:
    """Write so many reviews, again from the first when they are used up; some hold newlines, as that file's do."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(itertools.islice(itertools.cycle(_labelled()), rows))


def _labelled() -> Sequence[tuple[str, str]]:
    return [(_with_newline(text, place), label) for place, (text, label) in enumerate(_reviews())]


def _with_newline(text: str, place: int) -> str:
    return text.replace("<br /><br />", "<br />\n<br />", 1) if place % 10 == 0 else text


def _reviews() -> Iterator[tuple[str, str]]:
    files = [DATA / "train.parquet", DATA / "test_half.parquet"]
    if not all(file.exists() for file in files):
        yield from ((text, LABELS[0]) for text in read_reviews(None, GENERATED)[0])
        return
    import pyarrow.parquet  # noqa: PLC0415  generated reviews need no such library

    for file in files:
        for row in pyarrow.parquet.read_table(file, columns=["text", "label"]).to_pylist():
            yield row["text"], LABELS[row["label"]]
