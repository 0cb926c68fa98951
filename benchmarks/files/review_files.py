"""Files of reviews: made, sent, fetched, compared. Called by benchmarks.files.bulk.

They have the shape of the well-known Kaggle CSV of IMDb reviews: columns `review,sentiment`, quoted newlines, `<br />`.
"""

import csv
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.common.review_texts import read_reviews

COLUMNS = ("review", "sentiment")
LABELS = ("negative", "positive")
GENERATED = 40_000
PIECE_BYTES = 1 << 20
ANSWER_SECONDS = 900.0
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


def compare(sent: Path, got: Path) -> dict[str, Any]:
    """What of a file came back, cell by cell, and the accuracy that follows from the two."""
    rows = different = right = 0
    with sent.open(encoding="utf-8", newline="") as before, got.open(encoding="utf-8", newline="") as after:
        for ours, theirs in zip(csv.DictReader(after), csv.DictReader(before), strict=True):
            rows += 1
            different += any(ours[name] != cell for name, cell in theirs.items())
            right += ours["verdict_sentiment"] == theirs["sentiment"]
    return {"rows": rows, "rows_that_differ": different, "accuracy_from_the_file": right / rows}


@contextmanager
def table_of(rows: int) -> Iterator[Path]:
    """A file of so many reviews, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="verdict-bulk-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "reviews.csv"
        write_table(path, rows)
        yield path


def upload(url: str, file: Path) -> dict[str, Any]:
    """Submit the file as a job."""

    def pieces() -> Iterator[bytes]:
        with file.open("rb") as source:
            while piece := source.read(PIECE_BYTES):
                yield piece

    answer = httpx.post(
        f"{url}/v1/jobs", content=pieces(), headers={"content-type": "text/csv"}, timeout=ANSWER_SECONDS
    )
    answer.raise_for_status()
    job: dict[str, Any] = answer.json()
    return job


def download(url: str, job: dict[str, Any], to: Path, **params: str) -> None:
    """Write the job's results as CSV."""
    address = f"{url}{job['urls']['results']}"
    with httpx.stream("GET", address, params={"format": "csv"} | params, timeout=ANSWER_SECONDS) as answer:
        answer.raise_for_status()
        with to.open("wb") as file:
            for piece in answer.iter_bytes(PIECE_BYTES):
                file.write(piece)
