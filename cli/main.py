"""The `verdict` command: finds the command that was named and runs it. Errors are one line and an exit code."""

import sys
from collections.abc import Callable
from importlib import import_module

import typer
from rich.markup import escape

from cli.output import CommandError, stderr
from local.errors import LocalError

# name: its line in `verdict --help`. Each is the function, or the group, of that name in the module of that name
# (with `_` for `-`), and only the one that is asked for is imported.
COMMANDS = {
    "run": "Run everything here: PostgreSQL, Valkey, migrations, API, workers, maintenance.",
    "classify": "Classify texts with a running service.",
    "submit": "Classify a file of reviews with a running service.",
    "job": "Show a job of a running service, or follow it to its end.",
    "export-results": "Write the results of a job to a file.",
    "sla": "Say whether the service keeps its promises: failures, latency, accuracy.",
    "requests": "List the requests that the service answered, from its log.",
    "examples": "Add, list and remove the labelled reviews that similar ones are shown from.",
    "train": "Fine-tune a classifier on labelled reviews, or do all steps of a recipe up to a model.",
    "pretrain": "Go on with masked-language training of a base model on reviews.",
    "ngram": "Fit the linear n-gram classifier, which answers in microseconds.",
    "embedder": "Fit what finds similar reviews.",
    "label": "Let a trained classifier judge texts that a smaller one learns from.",
    "experiment": "Compare losses or preprocessings over several seeds.",
    "search": "Search hyper-parameters: learning rate, batch size, epochs.",
    "export": "Write a trained classifier as an ONNX model directory.",
    "validate": "Print what a model says of some texts, without a service.",
    "upload": "Upload a model folder to a model hub.",
    "evaluate": "Measure a model directory on a labelled data set.",
    "benchmark": "Measure a model against what is usually deployed: speed, accuracy, memory.",
    "tune": "Find the fastest settings of a worker on this machine.",
}


def application(asked_for: str | None) -> typer.Typer:
    """Build the command line; commands other than `asked_for` know no more than their name and line of help."""
    verdict = typer.Typer(
        help="Verdict: asynchronous sentiment classification of reviews.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for name, line in COMMANDS.items():
        found = _function(name) if name == asked_for else _listed_only
        if isinstance(found, typer.Typer):
            verdict.add_typer(found, name=name)
        else:
            verdict.command(name, short_help=line)(found)
    return verdict


def _function(name: str) -> Callable[..., None] | typer.Typer:
    noun = name.replace("-", "_")
    function: Callable[..., None] | typer.Typer = getattr(import_module(f"cli.{noun}"), noun)
    return function


def app() -> None:
    """Entry point of the `verdict` script."""
    asked_for = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        application(asked_for)(prog_name="verdict")
    except (CommandError, LocalError) as failure:
        stderr.print(f"[bold red]error:[/] {escape(' '.join(str(failure).split()))}")
        sys.exit(failure.exit_code)


def _listed_only() -> None:
    """Stand in the list of commands."""


if __name__ == "__main__":
    app()
