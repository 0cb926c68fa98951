"""Files of reviews: write one, and compare it with its results.

They have the shape of the well-known Kaggle CSV of IMDb reviews: columns `review,sentiment`, quoted newlines, `<br />`.
"""

import csv
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common.review_texts import read_reviews

COLUMNS = ("review", "sentiment")
LABELS = ("negative", "positive")
GENERATED = 40_000
DATA = Path("../shared/data/imdb")


def write_table(path: Path, rows: int) -> None:
    """Write this many reviews, from the first again when they are used up; every tenth has a newline."""
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
    import pyarrow.parquet  # noqa: PLC0415  generated reviews need no pyarrow

    for file in files:
        for row in pyarrow.parquet.read_table(file, columns=["text", "label"]).to_pylist():
            yield row["text"], LABELS[row["label"]]


def compare(sent: Path, got: Path) -> dict[str, Any]:
    """Compare a file with its results cell by cell; return the differing rows and the accuracy."""
    rows = different = right = 0
    with sent.open(encoding="utf-8", newline="") as before, got.open(encoding="utf-8", newline="") as after:
        for result, original in zip(csv.DictReader(after), csv.DictReader(before), strict=True):
            rows += 1
            different += any(result[name] != cell for name, cell in original.items())
            right += result["verdict_sentiment"] == original["sentiment"]
    return {"rows": rows, "rows_that_differ": different, "accuracy_from_the_file": right / rows}


@contextmanager
def table_of(rows: int) -> Iterator[Path]:
    """Yield a file of this many reviews, which is removed after the block."""
    with tempfile.TemporaryDirectory(prefix="verdict-bulk-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "reviews.csv"
        write_table(path, rows)
        yield path
