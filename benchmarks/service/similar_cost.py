"""The cost of similar reviews, with and without them in turns: `python -m benchmarks.service.similar_cost`.

Runs a service of its own on an empty database, and adds examples with `verdict examples add`.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.common.http_client import Connection, timed_review
from benchmarks.common.review_texts import read_reviews
from benchmarks.common.spread import Spread, spread
from benchmarks.common.stack import running_stack
from benchmarks.common.tables import show_table
from settings import ROOT, WorkerSettings

WARM_UP = 20  # reviews, after which PostgreSQL has settled on a plan
WANTED = (0, 3)  # similar reviews


def main(
    examples: Annotated[Path, typer.Option(help="Labelled reviews for `verdict examples add`.")],
    limit: Annotated[int, typer.Option(min=1, help="Examples.")] = 25_000,
    dataset: Annotated[
        Path | None, typer.Option(help="Parquet file with a column `text`; generated if not given.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Reviews, each sent once with and once without.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
) -> None:
    """Measure single reviews end to end, without and with similar ones, and print both."""
    texts, source = read_reviews(dataset, count + WARM_UP, seed)
    with running_stack({"MODELS_DIR": str(WorkerSettings().models_dir.absolute())}) as stack:
        seconds = _fill(examples, limit, stack.database_url)
        waited = asyncio.run(_measure(stack.url, texts))
    console = Console()
    console.print(f"{limit:,} examples of {examples.name} added in {seconds:.1f} s; {count} reviews, {source}")
    rows = [("similar reviews", "p50 ms", "p95 ms", "shown", "p50 ms besides inference")]
    for wanted, (whole, besides, shown) in waited.items():
        rows.append((str(wanted), f"{whole.p50:.1f}", f"{whole.p95:.1f}", f"{shown:.2f}", f"{besides.p50:.1f}"))
    show_table(console, "Single reviews", rows)


def _fill(examples: Path, limit: int, database_url: str) -> float:
    began = time.monotonic()
    command = [sys.executable, "-m", "cli.main", *f"examples add --name load --limit {limit}".split(), str(examples)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": database_url}, check=True)
    return time.monotonic() - began


async def _measure(url: str, texts: Sequence[str]) -> dict[int, tuple[Spread, Spread, float]]:
    """Return the milliseconds end to end, those besides inference, and the mean number of similar reviews."""
    connection = Connection(url)
    taken: dict[int, list[tuple[float, float, int]]] = {wanted: [] for wanted in WANTED}
    for turn, text in enumerate(texts):
        # Alternate the order: the first request warms caches for the second.
        for wanted in WANTED if turn % 2 else WANTED[::-1]:
            taken[wanted].append(await _one(connection, text, wanted))
    await connection.close()
    return {wanted: _spreads(rows[WARM_UP:]) for wanted, rows in taken.items()}


async def _one(connection: Connection, text: str, wanted: int) -> tuple[float, float, int]:
    took, job = await timed_review(connection, text, similar=wanted)
    [result] = job["results"]
    return took, took - result["timings_ms"]["inference"], len(result["similar_reviews"])


def _spreads(rows: Sequence[tuple[float, float, int]]) -> tuple[Spread, Spread, float]:
    whole, besides, shown = zip(*rows, strict=True)
    return spread(whole), spread(besides), sum(shown) / len(shown)


if __name__ == "__main__":
    typer.run(main)
