"""`make bench`: the classifier alone and the whole service on the same reviews, in one run, and their ratios.

Without --url it runs a service of its own on an empty database.
"""

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.common.review_texts import IMDB, read_reviews
from benchmarks.common.served_model import load_served, threads_of
from benchmarks.common.stack import UNBOUNDED, Stack, running_stack
from benchmarks.service import bench_report
from benchmarks.service.bench_report import BenchResult, environment
from benchmarks.service.measurements import JOB_REVIEWS, Rate, Singles, jobs_of_100, offline, singles
from inference.classifier import Classifier
from settings import WorkerSettings

CONCURRENCIES = (1, 16, 64)
GUESS_REVIEWS = 256  # classified first to learn the speed of the machine


def main(
    url: Annotated[str | None, typer.Option(help="A running service; without it one is started.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="About how long each figure is measured.")] = 30,
    dataset: Annotated[Path, typer.Option(help="Parquet file with a column `text`; generated if absent.")] = IMDB,
    out: Annotated[Path, typer.Option(help="Folder for the JSON and Markdown files.")] = Path("benchmarks/results"),
) -> None:
    """Measure the classifier alone, jobs of 100 and single reviews; write a table, JSON and Markdown."""
    settings = WorkerSettings()
    classifier = load_served(settings)
    count = _reviews_for(seconds, classifier, dataset, settings)
    texts, source = read_reviews(dataset, count)
    with nullcontext() if url else running_stack(UNBOUNDED) as stack:
        before, whole, after, lone = _measure(url, stack, classifier, texts, settings)
    bench = BenchResult(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=environment(classifier.info, threads_of(settings)),
        dataset=source,
        reviews=count,
        offline=[before, after],
        jobs_of_100=whole,
        singles=lone,
    )
    bench_report.write(bench, out)
    bench_report.show(bench)


def _reviews_for(seconds: float, classifier: Classifier, dataset: Path, settings: WorkerSettings) -> int:
    """Return the number of reviews, in whole jobs of 100, that the classifier alone handles in this time."""
    texts, _ = read_reviews(dataset, GUESS_REVIEWS, seed=1)
    guess = offline(classifier, texts, settings).per_second
    return max(round(guess * seconds / JOB_REVIEWS), 5) * JOB_REVIEWS


def _measure(
    url: str | None, stack: Stack | None, classifier: Classifier, texts: list[str], settings: WorkerSettings
) -> tuple[Rate, Rate, Rate, list[Singles]]:
    """Measure everything; the classifier alone before and after the service, so that a drift of the machine shows."""
    url, root = (stack.url, stack.pid) if stack else (url or "", None)
    _progress("nothing yet, warming up")
    jobs_of_100(url, texts[: 2 * JOB_REVIEWS], root)  # opens connections and grows buffers
    _progress(f"the classifier alone, {len(texts)} reviews")
    before = offline(classifier, texts, settings)
    _progress("jobs of 100")
    whole = jobs_of_100(url, texts, root)
    _progress("the classifier alone, again")
    after = offline(classifier, texts, settings)
    lone = []
    for concurrency in CONCURRENCIES:
        _progress(f"single reviews, {concurrency} at a time")
        lone.append(singles(url, texts, concurrency, root))
    return before, whole, after, lone


def _progress(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(main)
