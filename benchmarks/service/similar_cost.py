"""The cost of similar reviews, with and without them in turns: `python -m benchmarks.service.similar_cost`.

Runs a service of its own, from empty, fills it with examples by `verdict examples add`, and stops it after.
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
from rich.table import Table

from benchmarks.common.http_client import Connection
from benchmarks.common.review_texts import read_reviews
from benchmarks.common.spread import Spread, spread
from benchmarks.common.stack import running_stack
from settings import ROOT, WorkerSettings

WARM_UP = 20  # reviews: connections are open, and the planner has settled on a plan
WANTED = (0, 3)  # similar reviews


def main(
    examples: Annotated[Path, typer.Option(help="Labelled reviews, as `verdict examples add` takes them.")],
    limit: Annotated[int, typer.Option(min=1, help="Examples.")] = 25_000,
    dataset: Annotated[
        Path | None, typer.Option(help="Parquet file with a column `text`; generated if not given.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Reviews, each sent once with and once without.")] = 200,
    seed: Annotated[int, typer.Option(help="Draws the reviews.")] = 0,
) -> None:
    """Measure single reviews end to end, without and with similar ones, and print both and what lies between."""
    texts, source = read_reviews(dataset, count + WARM_UP, seed)
    with running_stack({"MODELS_DIR": str(WorkerSettings().models_dir.absolute())}) as stack:
        seconds = _fill(examples, limit, stack.database_url)
        waited = asyncio.run(_measure(stack.url, texts))
    console = Console()
    console.print(f"{limit:,} examples of {examples.name} added in {seconds:.1f} s; {count} reviews, {source}")
    table = Table("similar reviews", "p50 ms", "p95 ms", "shown", "p50 ms besides inference")
    for wanted, (whole, besides, shown) in waited.items():
        table.add_row(str(wanted), f"{whole.p50:.1f}", f"{whole.p95:.1f}", f"{shown:.2f}", f"{besides.p50:.1f}")
    console.print(table)


def _fill(examples: Path, limit: int, database_url: str) -> float:
    began = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "examples",
        "add",
        str(examples),
        "--name",
        "load",
        "--limit",
        str(limit),
    ]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": database_url}, check=True)
    return time.monotonic() - began


async def _measure(url: str, texts: Sequence[str]) -> dict[int, tuple[Spread, Spread, float]]:
    """Milliseconds end to end, the same without inference, and how many similar reviews each showed."""
    connection = Connection(url)
    taken: dict[int, list[tuple[float, float, int]]] = {wanted: [] for wanted in WANTED}
    for turn, text in enumerate(texts):
        # Now one first, now the other: what the first leaves warm helps the second.
        for wanted in WANTED if turn % 2 else WANTED[::-1]:
            taken[wanted].append(await _one(connection, text, wanted))
    await connection.close()
    return {wanted: _spreads(rows[WARM_UP:]) for wanted, rows in taken.items()}


async def _one(connection: Connection, text: str, wanted: int) -> tuple[float, float, int]:
    body = {"reviews": [{"text": text}], "similar": wanted}
    began = time.perf_counter()
    job = (await connection.request("POST", "/v1/jobs", body, {"Prefer": "wait=30"})).json()
    took = (time.perf_counter() - began) * 1000
    [result] = job["results"]
    return took, took - result["timings_ms"]["inference"], len(result["similar_reviews"])


def _spreads(rows: Sequence[tuple[float, float, int]]) -> tuple[Spread, Spread, float]:
    whole, besides, shown = zip(*rows, strict=True)
    return spread(whole), spread(besides), sum(shown) / len(shown)


if __name__ == "__main__":
    typer.run(main)
