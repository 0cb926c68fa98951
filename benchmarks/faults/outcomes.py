"""The outcome of each fault of a drill, and the report of all of them."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import NoReturn

import typer
from rich.console import Console

from benchmarks.common.tables import show_table

SHOWN = 5


@dataclass(slots=True)
class FaultOutcome:
    """The figures measured during one fault, and the promises that were broken; `wrong` is empty if all held."""

    broken: str
    figures: dict[str, str | int | float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, held: bool, otherwise: str) -> None:
        """Add `otherwise` to the broken promises unless `held`."""
        if not held:
            self.wrong.append(otherwise)


def report(drill: Iterable[FaultOutcome], title: str, *, as_json: bool) -> NoReturn:
    """Run a drill, print each outcome and all figures, and exit; the code is 1 if a promise was broken."""
    console, outcomes = Console(stderr=as_json), []
    for outcome in drill:
        outcomes.append(outcome)
        console.print(f"{outcome.broken}: {'held' if not outcome.wrong else 'NOT held'}", markup=False)
    if as_json:
        sys.stdout.write(json.dumps([asdict(outcome) for outcome in outcomes], indent=2) + "\n")
    else:
        show_table(console, title, [("broken", "held", "figures"), *map(_row, outcomes)], lines=True)
    raise typer.Exit(any(outcome.wrong for outcome in outcomes))


def _row(outcome: FaultOutcome) -> tuple[str, str, str]:
    figures = "\n".join(f"{name} {value}" for name, value in outcome.figures.items())
    return outcome.broken, "yes" if not outcome.wrong else "\n".join(outcome.wrong[:SHOWN]), figures
