"""How every command speaks: results on stdout (`--json` for machines), one line on stderr when it fails."""

import json
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.markup import escape

UrlOption = Annotated[str, typer.Option(envvar="VERDICT_URL", help="Address of the service.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

stdout = Console(highlight=False, soft_wrap=True)
stderr = Console(highlight=False, soft_wrap=True, stderr=True)

#: The script that runs, for messages that name a command; `verdict_cli.main.run` sets it.
program = "verdict-client"


class CommandError(Exception):
    """The command cannot do its work; the message is one complete line.

    Exit code 2 stands for wrong use or circumstances, 1 for work that was tried and failed.
    """

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def say(message: str) -> None:
    """Print a message to stderr, beside the results."""
    stderr.print(escape(message))


def show(value: object, *, as_json: bool, table: Callable[[], RenderableType]) -> None:
    """Print a result: one line of JSON for machines, or the table that `table()` draws."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False))
    else:
        stdout.print(table())
