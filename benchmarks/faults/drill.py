"""The fault drill in full size: `python -m benchmarks.faults.drill`. Exit code 1 when a promise did not hold.

Runs a service of its own with the settings a user has, and breaks it with benchmarks.faults.process_faults and
benchmarks.faults.file_faults.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.common.stack import UNBOUNDED, Stack, running_stack
from benchmarks.faults import file_faults, process_faults
from benchmarks.faults.process_faults import FaultOutcome, break_by


def main(
    reviews: Annotated[int, typer.Option(min=100, help="Reviews in flight while the worker is killed.")] = 2000,
    kills: Annotated[int, typer.Option(min=1, help="How often the worker is killed.")] = 5,
    freeze_seconds: Annotated[float, typer.Option(min=1, help="How long Valkey is frozen.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Break a running service in every way that is known, and say what held."""
    console, outcomes = Console(stderr=as_json), []
    with running_stack(UNBOUNDED) as stack:
        for outcome in drill(stack, reviews, kills, freeze_seconds):
            outcomes.append(outcome)
            console.print(f"{outcome.broken}: {'held' if not outcome.wrong else 'NOT held'}", markup=False)
    if as_json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    else:
        show(console, outcomes, "Fault drill")
    raise typer.Exit(any(outcome.wrong for outcome in outcomes))


def drill(stack: Stack, reviews: int, kills: int, freeze_seconds: float) -> Iterator[FaultOutcome]:
    """Every fault, one after the other, on one stack."""
    yield break_by(process_faults.worker_killed(stack, reviews, kills, flushes=2), stack)
    yield break_by(process_faults.valkey_frozen(stack, freeze_seconds), stack)
    yield break_by(process_faults.worker_stopped(stack, reviews), stack)
    yield break_by(process_faults.child_killed(stack, reviews), stack)
    yield break_by(process_faults.child_frozen(stack, reviews), stack)
    yield break_by(process_faults.api_killed(stack), stack)
    yield break_by(process_faults.postgres_killed(stack, freeze_seconds), stack)
    yield break_by(file_faults.api_killed_during_an_upload(stack, reviews), stack)
    yield break_by(file_faults.worker_killed_during_a_file(stack, reviews), stack)


def show(console: Console, outcomes: list[FaultOutcome], title: str) -> None:
    """Print what was broken, whether the promises held, and the figures."""
    table = Table("broken", "held", "figures", title=title, show_lines=True)
    for outcome in outcomes:
        figures = "\n".join(f"{name} {value}" for name, value in outcome.figures.items())
        table.add_row(outcome.broken, "yes" if not outcome.wrong else "\n".join(outcome.wrong[:5]), figures)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
