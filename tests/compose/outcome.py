"""The outcome of each step of the compose test, and their table."""

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(slots=True)
class Outcome:
    """The figures of a step and the failed expectations; `wrong` is empty if all held."""

    done: str
    figures: dict[str, object] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    not_shown: list[str] = field(default_factory=list)  # checks that were not possible here, and the reasons
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def expect(self, held: object, otherwise: str) -> None:
        """Add `otherwise` to the failed expectations unless `held`."""
        if not held:
            self.wrong.append(otherwise)


def show(console: Console, outcomes: list[Outcome]) -> None:
    """Print the summary, and below it the failed expectations in full."""
    table = Table("step", "held", "figures", "s", title="Compose test", show_lines=True)
    for each in outcomes:
        figures = [f"{name}: {value}" for name, value in each.figures.items()]
        figures += [f"not shown: {what}" for what in each.not_shown]
        table.add_row(each.done, "no" if each.wrong else "yes", escape("\n".join(figures)), f"{each.seconds:.0f}")
    console.print(table)
    for each in outcomes:
        for wrong in each.wrong:
            console.print(f"{each.done}: {wrong}", markup=False, highlight=False, soft_wrap=True)
