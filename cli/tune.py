"""`verdict tune`: find the fastest settings of a worker on this machine (benchmarks.classifier.tune)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli._training import one_line_errors

if TYPE_CHECKING:
    from benchmarks.classifier.tune import TuneTrial

MEBI = 2**20


def tune(
    model: Annotated[Path | None, typer.Argument(help="Model folder; by default the one that a worker serves.")] = None,
    data: Annotated[
        str | None, typer.Option(help="File of typical reviews; by default they are made from the golden set.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Approximate duration in seconds.")] = 60,
    write: Annotated[bool, typer.Option("--write", help="Write the result into .env, for `verdict run`.")] = False,
) -> None:
    """Measure worker processes, threads and micro-batches on this machine, and choose the fastest."""
    console = Console(stderr=True, highlight=False)
    with one_line_errors():
        from benchmarks.classifier.tune import TEXTS, TuneRequest, best, made_up
        from benchmarks.classifier.tune import tune as measure
        from inference.manifest import load_manifest
        from inference.stages import FULL
        from settings import WorkerSettings
        from training.data.reviews import load_texts

        settings = WorkerSettings()
        folder = model or settings.model_directory()
        texts = load_texts(data)[:TEXTS] if data else made_up(load_manifest(folder))
        # The first stage answers another share of made-up reviews than of real ones, so they measure the network alone.
        point = settings.operating_point if data else FULL
        cores = len(os.sched_getaffinity(0))
        trials = measure(TuneRequest(folder, point, texts, cores, seconds), console.print)
    chosen = best(trials)
    Console().print(_table(trials, chosen))
    values = {
        "WORKERS": chosen.setting.workers,
        "WORKER_THREADS": chosen.setting.threads,
        "MICRO_BATCH_TOKENS": chosen.setting.token_budget,
    }
    if write:
        _write(values)
    print("\n".join(f"{name}={value}" for name, value in values.items()))


def _table(trials: "list[TuneTrial]", chosen: "TuneTrial") -> Table:
    table = Table("workers", "threads", "tokens", "reviews/s", "ms for one", "MiB", "")
    for each in trials:
        setting = each.setting
        row = [setting.workers, setting.threads, setting.token_budget, f"{each.rate:.1f}", f"{each.lone:.0f}"]
        table.add_row(*map(str, row), f"{each.peak_memory / MEBI:,.0f}", "chosen" if each is chosen else "")
    return table


def _write(values: dict[str, int]) -> None:
    from dotenv import set_key

    from cli.run import ENV

    for name, value in values.items():
        set_key(ENV, name, str(value), quote_mode="never")
