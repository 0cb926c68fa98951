"""Find the command that was named and run it; every error is one line and an exit code.

`verdict-client` has the commands of this package; `verdict` of a full installation (cli.main) has more.
"""

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, NamedTuple

import typer
from rich.markup import escape

from verdict_cli import output

BROKEN_PIPE = 141  # as the shell reports a command that SIGPIPE ended
VERSION = "0.1.0"


class Command(NamedTuple):
    """A command: the module that holds the function of its name (`_` for `-`), and its line in the help."""

    module: str
    line: str


COMMANDS = {
    "classify": Command("verdict_cli.commands.classify", "Classify texts with a running service."),
    "submit": Command("verdict_cli.commands.submit", "Classify a file of reviews with a running service."),
    "job": Command("verdict_cli.commands.job", "Show a job of a running service, or follow it to its end."),
    "export-results": Command("verdict_cli.commands.export_results", "Write the results of a job to a file."),
}


def app() -> None:
    """Run `verdict-client`."""
    run("verdict-client", "Client of a Verdict service.", COMMANDS)


def run(
    program: str,
    help_text: str,
    commands: Mapping[str, Command],
    *,
    extra: object = None,
    also: type[Exception] = output.CommandError,
) -> None:
    """Run the command that the arguments of this process name; ends the process.

    Args:
        program: Name of the script, for messages.
        help_text: First line of the help.
        commands: The commands by name; only the module of the named one is imported, so that help is quick.
        extra: Becomes `typer.Context.obj` of each command.
        also: An exception with an `exit_code` that is shown as one line, beside CommandError.
    """
    output.program = program
    try:
        try:
            application(help_text, commands, _named(sys.argv[1:]))(prog_name=program, obj=extra)
        finally:
            if sys.stdout is not None:  # closed, as by `>&-`
                sys.stdout.flush()
    except (output.CommandError, also) as failure:
        output.stderr.print(f"[bold red]error:[/] {escape(' '.join(str(failure).split()))}")
        sys.exit(getattr(failure, "exit_code", 2))
    except (BrokenPipeError, SystemExit) as end:
        # The reader of stdout has gone, as with `| head`; rich and typer turn that into exit code 1.
        if isinstance(end, BrokenPipeError) or isinstance(end.__context__, BrokenPipeError):
            os._exit(BROKEN_PIPE)  # the usual exit would flush the rest of stdout and fail again
        raise


def application(help_text: str, commands: Mapping[str, Command], named: str | None) -> typer.Typer:
    """Build the command line; commands other than `named` have no more than their name and line of help."""
    built = typer.Typer(
        help=help_text,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    built.callback(help=help_text)(_options)
    for name, command in commands.items():
        found = _function(name, command) if name == named else _listed_only
        if isinstance(found, typer.Typer):
            built.add_typer(found, name=name)
        else:
            built.command(name, short_help=command.line)(found)
    return built


def _named(arguments: list[str]) -> str | None:
    return next((word for word in arguments if not word.startswith("-")), None)


def _function(name: str, command: Command) -> Callable[..., None] | typer.Typer:
    function: Callable[..., None] | typer.Typer = getattr(import_module(command.module), name.replace("-", "_"))
    return function


def _version(wanted: bool) -> None:
    if wanted:
        print(f"{output.program} {VERSION}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options that stand before the command."""


def _listed_only() -> None:
    """Stand in the list of commands."""
