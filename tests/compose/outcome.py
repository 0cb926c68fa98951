"""What a step of the compose test found, and the table of all of them."""

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(slots=True)
class Outcome:
    """What was done, what was measured, and what did not hold: nothing, if all is well."""

    done: str
    figures: dict[str, object] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    not_shown: list[str] = field(default_factory=list)  # what could not be looked at here, and why
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def expect(self, held: object, otherwise: str) -> None:
        """Note `otherwise` if it did not hold."""
        if not held:
            self.wrong.append(otherwise)


def show(console: Console, outcomes: list[Outcome]) -> None:
    """Print the summary, and below it what did not hold, in full."""
    table = Table("step", "held", "figures", "s", title="Compose test", show_lines=True)
    for each in outcomes:
        figures = [f"{name}: {value}" for name, value in each.figures.items()]
        figures += [f"not shown: {what}" for what in each.not_shown]
        table.add_row(each.done, "no" if each.wrong else "yes", escape("\n".join(figures)), f"{each.seconds:.0f}")
    console.print(table)
    for each in outcomes:
        for wrong in each.wrong:
            console.print(f"{each.done}: {wrong}", markup=False, highlight=False, soft_wrap=True)
