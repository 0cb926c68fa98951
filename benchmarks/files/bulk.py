r"""Measure files against a reference in the same run: `python -m benchmarks.files.bulk COMMAND`.

`ingest` compares upload and download with psql's `\copy` of the same rows, `classify` a job with the classifier alone,
`mixed` single reviews beside a bulk job with single reviews alone, and `roundtrip` a file with its results.
Every command runs a service of its own and prints its figures as JSON.
"""

import asyncio
import csv
import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import psycopg
import typer

from benchmarks.common.http_client import Connection, timed_review
from benchmarks.common.processes import Part
from benchmarks.common.review_texts import IMDB, read_reviews
from benchmarks.common.served_model import load_served
from benchmarks.common.spread import spread
from benchmarks.common.stack import Stack, running_stack
from benchmarks.files.review_files import compare, table_of
from benchmarks.service.measurements import offline
from local.postgres_data import binary
from settings import WorkerSettings
from verdict import Client

SINGLES_PER_SECOND = 5
DELETE_SECONDS = 900.0  # of a job with a million rows

app = typer.Typer(add_completion=False, no_args_is_help=True)

Rows = Annotated[int, typer.Option(min=100, help="Rows of the file.")]


@app.command()
def ingest(rows: Rows = 1_000_000, rounds: Annotated[int, typer.Option(min=1)] = 1) -> None:
    r"""Upload and download, against psql's `\copy` of the same rows into and out of an equal table."""
    with (
        table_of(rows) as file,
        running_stack() as stack,
        psycopg.connect(stack.database_url, autocommit=True) as store,
    ):
        found = [_ingest_once(stack, store, file, rows) for _ in range(rounds)]
    _print({"file_mb": found[0].pop("file_mb"), "rows": rows, "rounds": found})


COLUMNS = "job_id, review_id, index, line, text, caller_id, label, others, error_code, error_detail"
RESULTS = """
SELECT sent.text, sent.others[1], model.labels[review.label + 1], review.probabilities[review.label + 1],
       review.status, review.error_code, model.version
FROM job_rows AS sent
LEFT JOIN reviews AS review ON review.id = sent.review_id LEFT JOIN models AS model ON model.id = review.model_id
WHERE sent.job_id = '{job}' ORDER BY sent.index
"""


def _ingest_once(stack: Stack, store: "psycopg.Connection[Any]", file: Path, rows: int) -> dict[str, Any]:
    dump, results = file.with_suffix(".rows"), file.with_suffix(".results")
    figures: dict[str, Any] = {"file_mb": round(file.stat().st_size / 1e6)}
    with Client(stack.url) as client:
        job, figures["upload"] = _watched(stack, store, lambda: client.submit_file(file))
        if job.counts.total != rows:
            raise RuntimeError(f"{rows} rows became {job.counts}")
        client.pause(job)  # the worker would slow down the rest
        own_rows = f"SELECT {COLUMNS} FROM job_rows WHERE job_id = '{job.id}'"  # noqa: S608  an id of ours
        _psql(stack, f"\\copy ({own_rows}) TO '{dump}' csv")
        store.execute("DROP TABLE IF EXISTS copied")
        store.execute("CREATE TABLE copied (LIKE job_rows INCLUDING ALL, FOREIGN KEY (job_id) REFERENCES jobs)")
        copy_in = f"\\copy copied ({COLUMNS}) FROM '{dump}' csv"
        _, figures["copy_in"] = _watched(stack, store, lambda: _psql(stack, copy_in))
        store.execute("DROP TABLE copied")
        _, figures["download"] = _watched(stack, store, lambda: client.download(job, results))
    select = " ".join(RESULTS.format(job=job.id).split())
    _, figures["copy_out"] = _watched(stack, store, lambda: _psql(stack, f"\\copy ({select}) TO '{dump}' csv header"))
    figures["upload_over_copy"] = round(figures["copy_in"]["seconds"] / figures["upload"]["seconds"], 3)
    figures["download_over_copy"] = round(figures["copy_out"]["seconds"] / figures["download"]["seconds"], 3)
    httpx.delete(f"{stack.url}/v1/jobs/{job.id}", timeout=DELETE_SECONDS).raise_for_status()
    return figures


@app.command()
def classify(rows: Rows = 20_000) -> None:
    """A bulk job from upload to end, against the classifier alone on the same reviews, half before, half after."""
    settings = WorkerSettings()
    classifier = load_served(settings)
    with table_of(rows) as file, running_stack() as stack, Client(stack.url) as client:
        with file.open(encoding="utf-8", newline="") as lines:
            texts = [row["review"] for row in csv.DictReader(lines)]
        before = offline(classifier, texts[: rows // 2], settings)
        started = time.perf_counter()
        job = client.wait(client.submit_file(file))
        seconds = time.perf_counter() - started
        after = offline(classifier, texts[rows // 2 :], settings)
    alone = rows / (before.seconds + after.seconds)
    _print({
        "rows": rows,
        "distinct": len(set(texts)),
        "counts": job.counts.model_dump(),
        "classifier_alone_per_second": [before.per_second, after.per_second, round(alone, 2)],
        "job_per_second": round(rows / seconds, 2),
        "ratio": round(rows / seconds / alone, 3),
    })  # fmt: skip


@app.command()
def mixed(rows: Rows = 1_000_000, seconds: Annotated[float, typer.Option(min=5)] = 60) -> None:
    """Single reviews, 5 a second, alone and beside a bulk job."""
    texts, _ = read_reviews(IMDB, 1000, seed=7)
    with table_of(rows) as file, running_stack() as stack, Client(stack.url) as client:
        singles(stack.url, texts, 5)  # warm-up
        alone = singles(stack.url, texts, seconds)
        job = client.submit_file(file)
        beside = singles(stack.url, texts, seconds)
        query = "SELECT inference_ms FROM reviews WHERE job_id = %s AND inference_ms IS NOT NULL"
        with psycopg.connect(stack.database_url) as store:
            batches = [row[0] for row in store.execute(query, [job.id])]
        classified = client.job(job).counts.succeeded
    micro_batch, idle = spread(batches), spread(alone)
    _print({
        "singles_alone_ms": asdict(idle),
        "singles_beside_bulk_ms": asdict(spread(beside)),
        "bulk_micro_batch_ms": asdict(micro_batch),
        "bound_ms": round(2 * micro_batch.p50 + idle.p95, 1),
        "bulk_judged_meanwhile": classified,
    })  # fmt: skip


@app.command()
def roundtrip(
    rows: Rows = 50_000, keep: Annotated[Path | None, typer.Option(help="Folder to leave both files in.")] = None
) -> None:
    """A file and its results: rows, order, every cell, and the accuracy that the job reports."""
    with table_of(rows) as file, running_stack() as stack, Client(stack.url) as client:
        started = time.perf_counter()
        job = client.wait(client.submit_file(file))
        seconds = time.perf_counter() - started
        results = file.with_suffix(".results")
        client.download(job, results, formulas="keep")
        for path in (file, results) if keep else ():
            shutil.copy(path, keep or "")
        reported = job.evaluation.model_dump() if job.evaluation else {}
        _print(
            compare(file, results)
            | {
                "seconds": round(seconds, 1),
                "counts": job.counts.model_dump(),
                "reported": {name: reported.get(name) for name in ("labelled", "accuracy", "macro_f1")},
            }
        )


def _print(figures: object) -> None:
    print(json.dumps(figures, indent=2))


def singles(url: str, texts: list[str], seconds: float) -> list[float]:
    """Send single reviews at a steady rate, however long the answers take; return the milliseconds of each."""
    draw = random.Random(1)

    async def run() -> list[float]:
        free = [Connection(url) for _ in range(SINGLES_PER_SECOND * 4)]
        async with asyncio.TaskGroup() as group:
            tasks = []
            for number in range(int(seconds * SINGLES_PER_SECOND)):
                tasks.append(group.create_task(timed_review(free[number % len(free)], draw.choice(texts))))
                await asyncio.sleep(1 / SINGLES_PER_SECOND)
        return [task.result()[0] for task in tasks]

    return asyncio.run(run())


def _watched(stack: Stack, store: "psycopg.Connection[Any]", act: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Run `act` after a checkpoint; return its result, its seconds and the rise of the API's memory in MB."""
    store.execute("CHECKPOINT")
    [api] = stack.pids(Part.API)[:1]
    Path(f"/proc/{api}/clear_refs").write_text("5")  # resets the peak of memory, see proc_pid_clear_refs(5)
    idle, started = _memory(api, "VmRSS"), time.perf_counter()
    result = act()
    seconds = time.perf_counter() - started
    return result, {"seconds": round(seconds, 2), "api_mb_above_idle": round(_memory(api, "VmHWM") - idle, 1)}


def _memory(pid: int, line: str) -> float:
    found = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith(line))
    return int(found.split()[1]) / 1024


def _psql(stack: Stack, command: str) -> None:
    subprocess.run([binary("psql"), "-qX", "-v", "ON_ERROR_STOP=1", stack.database_url, "-c", command], check=True)


if __name__ == "__main__":
    app()
