"""Send a labelled data set through HTTP, and compare the results with those of the same model offline.

`python -m benchmarks.service.replay --url http://127.0.0.1:8000`. Exit code 1 if a review is missing, failed or
doubled.
"""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.common.http_client import Connection, for_each, job_body, results, wait_for_end
from benchmarks.common.review_texts import IMDB
from benchmarks.common.served_model import load_served
from benchmarks.common.tables import show_table
from inference.classifier import Prediction
from inference.manifest import load_manifest
from settings import WorkerSettings
from training.data.reviews import DataSource, Reviews, load_reviews, sample
from training.evaluate import classify

LARGEST_JOB = 200


@dataclass(frozen=True, slots=True)
class Replay:
    """The served results, and their differences from the same model offline."""

    model: str
    reviews: int
    jobs: int
    succeeded_once: int
    problems: list[str]
    accuracy_served: float
    accuracy_offline: float
    token_budget_offline: int
    different_answers: int
    largest_probability_difference: float
    mean_probability_difference: float


def main(
    url: Annotated[str, typer.Option(help="The running service.")] = "http://127.0.0.1:8000",
    dataset: Annotated[Path, typer.Option(help="Parquet, CSV or JSON-lines file with texts and labels.")] = IMDB,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many reviews, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample and of the job sizes.")] = 0,
    jobs_in_flight: Annotated[int, typer.Option(min=1, help="Jobs in flight at a time.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Replay a labelled data set as jobs of 1 to 200 reviews; compare with the model of this checkout offline."""
    labels = load_manifest(WorkerSettings().model_directory()).labels
    reviews = sample(load_reviews(DataSource(str(dataset), names=labels)), limit, seed)
    jobs = list(cut(len(reviews), seed))
    served = asyncio.run(serve(url, reviews.texts, jobs, jobs_in_flight))
    replay = compare(reviews, served, len(jobs))
    if as_json:
        print(json.dumps(asdict(replay), indent=2))
    else:
        _show(replay)
    raise typer.Exit(1 if replay.problems else 0)


def cut(count: int, seed: int) -> Iterator[range]:
    """Cut the indices 0 to `count` into jobs of random sizes."""
    draw, start = random.Random(seed), 0
    while start < count:
        size = draw.randint(1, LARGEST_JOB)
        yield range(start, min(start + size, count))
        start += size


async def serve(url: str, texts: Sequence[str], jobs: Sequence[range], in_flight: int) -> list[list[dict[str, Any]]]:
    """Return the results of each review, by its index; each list should hold exactly one."""
    served: list[list[dict[str, Any]]] = [[] for _ in texts]

    async def run(connection: Connection, job: range) -> None:
        submitted = await connection.request("POST", "/v1/jobs", job_body([texts[place] for place in job]))
        finished = await wait_for_end(connection, submitted.json())
        for result in await results(connection, finished):
            served[job[result["index"]]].append(result)

    await for_each(url, jobs, in_flight, run)
    return served


def compare(reviews: Reviews, served: Sequence[Sequence[dict[str, Any]]], jobs: int) -> Replay:
    """Compare the served results with the labels, and with the model of this checkout offline."""
    settings = WorkerSettings()
    manifest = load_manifest(settings.model_directory())
    offline = classify(load_served(settings), reviews.texts, manifest.batching.token_budget)
    truths = [reviews.names[label] for label in reviews.labels]
    wrong = [problem(found, manifest.version) for found in served]
    pairs = [(found[0], alone) for found, alone, fault in zip(served, offline, wrong, strict=True) if not fault]
    moved = [_moved(result, alone) for result, alone in pairs]
    return Replay(
        model=f"{manifest.name} {manifest.version} ({manifest.precision})",
        reviews=len(truths),
        jobs=jobs,
        succeeded_once=len(pairs),
        problems=[f"review {place}: {fault}" for place, fault in enumerate(wrong) if fault],
        accuracy_served=_accuracy([found[0]["sentiment"] if found else None for found in served], truths),
        accuracy_offline=_accuracy([alone.sentiment for alone in offline], truths),
        token_budget_offline=manifest.batching.token_budget,
        different_answers=sum(result["sentiment"] != alone.sentiment for result, alone in pairs),
        largest_probability_difference=max(moved, default=0.0),
        mean_probability_difference=sum(moved) / max(len(moved), 1),
    )


def _accuracy(answers: Sequence[str | None], truths: Sequence[str]) -> float:
    return sum(answer == truth for answer, truth in zip(answers, truths, strict=True)) / len(truths)


def _moved(result: dict[str, Any], alone: Prediction) -> float:
    served: dict[str, float] = result["probabilities"]
    return max(abs(served[label] - probability) for label, probability in alone.probabilities.items())


def problem(found: Sequence[dict[str, Any]], version: str) -> str | None:
    """Return the fault in the results of one review, or None."""
    if len(found) != 1:
        return f"{len(found)} results"
    [result] = found
    if result["status"] != "succeeded":
        return f"{result['status']}: {result['error']}"
    if result["model"]["version"] != version:
        return f"answered by version {result['model']['version']}, and version {version} is here"
    return None


def _show(replay: Replay) -> None:
    rows = [("figure", "value")]
    for name, value in asdict(replay).items():
        shown = f"{value:.4f}" if isinstance(value, float) else str(len(value) if isinstance(value, list) else value)
        rows.append((name.replace("_", " "), shown))
    console = Console()
    show_table(console, f"Replay through {replay.model}", rows)
    for line in replay.problems[:20]:
        console.print(line, markup=False)


if __name__ == "__main__":
    typer.run(main)
