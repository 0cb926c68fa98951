"""`reference/command-line.md`: the help of every command, as `verdict COMMAND --help` prints it without colours."""

from typing import Any

import typer

from cli.main import COMMANDS, HELP
from docs.generate.markdown import page, table
from verdict_cli.main import application

INTRODUCTION = """\
`make run` and `make test` install the command as `.venv/bin/verdict`. It finds the service by `VERDICT_URL`
(`http://127.0.0.1:8000` if that is not set). An error is one line on standard error; the exit code is 2 for wrong
input or an unreachable service and 1 for failed work, unless the command says otherwise. `--json` prints
machine-readable output."""
WIDTH = 110


def command_line_page() -> str:
    """Return the page: a table of the commands, then the help of each."""
    rows = [(f"[`{name}`](#verdict-{name})", line) for name, (_, line) in COMMANDS.items()]
    return page("Command line", INTRODUCTION, table(["command", "purpose"], rows), *map(_section, COMMANDS))


def _section(name: str) -> str:
    command: Any = typer.main.get_command(application(HELP, COMMANDS, name))
    group = command.make_context("verdict", [], resilient_parsing=True)
    found = command.commands[name]
    helps = [_help(f"verdict {name}", found, group)]
    for sub, each in getattr(found, "commands", {}).items():
        helps.append(_help(f"verdict {name} {sub}", each, group))
    return f"## verdict {name}\n\n" + "\n\n".join(f"```text\n{text}\n```" for text in helps)


def _help(path: str, command: Any, parent: Any) -> str:
    command.rich_markup_mode = None  # Typer draws boxes otherwise
    context = type(parent)(command, info_name=path, max_content_width=WIDTH, terminal_width=WIDTH)
    return str(command.get_help(context)).rstrip()
