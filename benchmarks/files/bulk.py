r"""Measure files against a yardstick in the same run: `python -m benchmarks.files.bulk COMMAND`.

`ingest` compares upload and download with psql's `\copy` of the same rows, `classify` a job with the classifier alone,
`mixed` single reviews beside a bulk job with single reviews alone, and `roundtrip` a file with what comes back.
Every command runs a service of its own and prints its figures as JSON.
"""

import asyncio
import csv
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import httpx
import psycopg
import typer

from benchmarks.common.http_client import Connection, ended, job_body
from benchmarks.common.processes import Part
from benchmarks.common.review_texts import IMDB, read_reviews
from benchmarks.common.spread import spread
from benchmarks.common.stack import Stack, running_stack
from benchmarks.files.review_files import ANSWER_SECONDS, compare, download, table_of, upload
from benchmarks.service.measurements import offline
from inference.loading import load_classifier
from local.postgres_data import binary
from settings import WorkerSettings

SINGLES_PER_SECOND = 5

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
    print(json.dumps({"file_mb": found[0].pop("file_mb"), "rows": rows, "rounds": found}, indent=2))


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
    job, figures["upload"] = _watched(stack, store, lambda: upload(stack.url, file))
    if job["counts"]["total"] != rows:
        raise RuntimeError(f"{rows} rows became {job['counts']}")
    httpx.post(f"{stack.url}{job['urls']['pause']}").raise_for_status()  # nothing else is to work meanwhile
    own_rows = f"SELECT {COLUMNS} FROM job_rows WHERE job_id = '{job['id']}'"  # noqa: S608  ids of our own
    _psql(stack, f"\\copy ({own_rows}) TO '{dump}' csv")
    store.execute("DROP TABLE IF EXISTS copied")
    store.execute("CREATE TABLE copied (LIKE job_rows INCLUDING ALL, FOREIGN KEY (job_id) REFERENCES jobs)")
    _, figures["copy_in"] = _watched(stack, store, lambda: _psql(stack, f"\\copy copied ({COLUMNS}) FROM '{dump}' csv"))
    store.execute("DROP TABLE copied")
    _, figures["download"] = _watched(stack, store, lambda: download(stack.url, job, results))
    select = " ".join(RESULTS.format(job=job["id"]).split())
    _, figures["copy_out"] = _watched(stack, store, lambda: _psql(stack, f"\\copy ({select}) TO '{dump}' csv header"))
    figures["upload_over_copy"] = round(figures["copy_in"]["seconds"] / figures["upload"]["seconds"], 3)
    figures["download_over_copy"] = round(figures["copy_out"]["seconds"] / figures["download"]["seconds"], 3)
    httpx.delete(f"{stack.url}{job['urls']['self']}", timeout=ANSWER_SECONDS).raise_for_status()
    return figures


@app.command()
def classify(rows: Rows = 20_000) -> None:
    """A bulk job from upload to its end, against the classifier alone on the same reviews, half before, half after."""
    settings = WorkerSettings()
    threads = settings.worker_threads or len(os.sched_getaffinity(0))
    classifier = load_classifier(settings.model_directory(), threads=threads, point=settings.operating_point)
    with table_of(rows) as file, running_stack() as stack:
        with file.open(encoding="utf-8", newline="") as lines:
            texts = [row["review"] for row in csv.DictReader(lines)]
        before = offline(classifier, texts[: rows // 2], settings)
        started = time.perf_counter()
        job = wait(stack.url, upload(stack.url, file))
        seconds = time.perf_counter() - started
        after = offline(classifier, texts[rows // 2 :], settings)
    alone = rows / (before.seconds + after.seconds)
    figures = {
        "rows": rows,
        "distinct": len(set(texts)),
        "counts": job["counts"],
        "classifier_alone_per_second": [before.per_second, after.per_second, round(alone, 2)],
        "job_per_second": round(rows / seconds, 2),
        "ratio": round(rows / seconds / alone, 3),
    }
    print(json.dumps(figures, indent=2))


@app.command()
def mixed(rows: Rows = 1_000_000, seconds: Annotated[float, typer.Option(min=5)] = 60) -> None:
    """Single reviews, 5 a second, alone and beside a bulk job."""
    texts, _ = read_reviews(IMDB, 1000, seed=7)
    with table_of(rows) as file, running_stack() as stack:
        singles(stack.url, texts, 5)  # warm
        alone = singles(stack.url, texts, seconds)
        job = upload(stack.url, file)
        beside = singles(stack.url, texts, seconds)
        with psycopg.connect(stack.database_url) as store:
            batches = [
                row[0]
                for row in store.execute(
                    "SELECT inference_ms FROM reviews WHERE job_id = %s AND inference_ms IS NOT NULL", [job["id"]]
                )
            ]
        moved = httpx.get(f"{stack.url}{job['urls']['self']}").json()["counts"]
    micro_batch, idle, busy = spread(batches), spread(alone), spread(beside)
    figures = {
        "singles_alone_ms": vars_of(idle),
        "singles_beside_bulk_ms": vars_of(busy),
        "bulk_micro_batch_ms": vars_of(micro_batch),
        "bound_ms": round(2 * micro_batch.p50 + idle.p95, 1),
        "bulk_judged_meanwhile": moved["succeeded"],
    }
    print(json.dumps(figures, indent=2))


def vars_of(figures: Any) -> dict[str, float]:
    """The percentiles by name."""
    return {name: getattr(figures, name) for name in ("p50", "p95", "p99")}


@app.command()
def roundtrip(
    rows: Rows = 50_000, keep: Annotated[Path | None, typer.Option(help="Folder to leave both files in.")] = None
) -> None:
    """A file goes in and comes back: rows, order, every cell, and the accuracy that the job reports."""
    with table_of(rows) as file, running_stack() as stack:
        started = time.perf_counter()
        job = wait(stack.url, upload(stack.url, file))
        seconds = time.perf_counter() - started
        results = file.with_suffix(".results")
        download(stack.url, job, results, formulas="keep")
        for path in (file, results) if keep else ():
            shutil.copy(path, keep or "")
        figures = compare(file, results) | {
            "seconds": round(seconds, 1),
            "counts": job["counts"],
            "reported": {name: job["evaluation"][name] for name in ("labelled", "accuracy", "macro_f1")},
        }
    print(json.dumps(figures, indent=2))


def wait(url: str, job: dict[str, Any]) -> dict[str, Any]:
    """The job when it has ended."""

    async def run() -> dict[str, Any]:
        return await ended(Connection(url), job)

    return asyncio.run(run())


def singles(url: str, texts: list[str], seconds: float) -> list[float]:
    """Milliseconds of single reviews that were sent at a steady rate, whatever the answers took."""
    draw = random.Random(1)

    async def one(connection: Connection) -> float:
        started = time.perf_counter()
        answer = await connection.request("POST", "/v1/jobs", job_body([draw.choice(texts)]), {"Prefer": "wait=25"})
        if answer.json()["status"] != "succeeded":
            raise RuntimeError(f"a single review was answered {answer.body[:300]!r}")
        return (time.perf_counter() - started) * 1000

    async def run() -> list[float]:
        free = [Connection(url) for _ in range(SINGLES_PER_SECOND * 4)]
        async with asyncio.TaskGroup() as group:
            tasks = []
            for number in range(int(seconds * SINGLES_PER_SECOND)):
                tasks.append(group.create_task(one(free[number % len(free)])))
                await asyncio.sleep(1 / SINGLES_PER_SECOND)
        return [task.result() for task in tasks]

    return asyncio.run(run())


def _watched(stack: Stack, store: "psycopg.Connection[Any]", act: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Do it after a checkpoint; what it gave, its seconds, and the API's memory in MB beyond what it had before."""
    store.execute("CHECKPOINT")
    [api] = stack.pids(Part.API)[:1]
    Path(f"/proc/{api}/clear_refs").write_text("5")  # the peak starts from here, see proc_pid_clear_refs(5)
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
