"""The fault drill in full size: `python -m benchmarks.faults.drill`. Exit code 1 if a promise was broken.

Runs a service with a user's settings and breaks it in each way of process_faults and file_faults.
"""

from collections.abc import Iterator
from typing import Annotated

import typer

from benchmarks.common.stack import UNBOUNDED, Stack, running_stack
from benchmarks.faults import file_faults, process_faults
from benchmarks.faults.outcomes import FaultOutcome, report
from benchmarks.faults.process_faults import break_by


def main(
    reviews: Annotated[int, typer.Option(min=300, help="Reviews in flight while the worker is killed.")] = 2000,
    kills: Annotated[int, typer.Option(min=1, help="How often the worker is killed.")] = 5,
    freeze_seconds: Annotated[float, typer.Option(min=1, help="How long Valkey is frozen.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Break a running service in every known way, and report which promises held."""
    with running_stack(UNBOUNDED) as stack:
        report(drill(stack, reviews, kills, freeze_seconds), "Fault drill", as_json=as_json)


def drill(stack: Stack, reviews: int, kills: int, freeze_seconds: float) -> Iterator[FaultOutcome]:
    """Yield the outcome of each fault, one after the other, on one stack."""
    yield break_by(process_faults.worker_killed(stack, reviews, kills, flushes=2), stack)
    yield break_by(process_faults.valkey_frozen(stack, freeze_seconds), stack)
    yield break_by(process_faults.worker_stopped(stack, reviews), stack)
    yield break_by(process_faults.child_killed(stack, reviews), stack)
    yield break_by(process_faults.child_frozen(stack, reviews), stack)
    yield break_by(process_faults.api_killed(stack), stack)
    yield break_by(process_faults.postgres_killed(stack, freeze_seconds), stack)
    yield break_by(file_faults.api_killed_during_an_upload(stack, reviews), stack)
    yield break_by(file_faults.worker_killed_during_a_file(stack, reviews), stack)


if __name__ == "__main__":
    typer.run(main)
