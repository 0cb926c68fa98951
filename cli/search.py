"""`verdict search`: search hyper-parameters (training.learn.search)."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from cli._training import ConfigOption, OverrideOption, VerboseOption, command_line, one_line_errors

DEFAULT_CONFIG = Path("training/configs/search.yaml")


def search(
    config: ConfigOption = DEFAULT_CONFIG,
    override: OverrideOption = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in all, including finished ones.")] = None,
    verbose: VerboseOption = False,
) -> None:
    """Search learning rate, batch size and epochs with Optuna; write a table, a plot and the best recipe.

    A repeated command continues an interrupted search.
    """
    with one_line_errors():
        from training.recipes.options import SearchConfig
        from training.recipes.reading import load_config

        overrides = [*(override or ()), *([f"trials={trials}"] if trials else [])]
        settings = load_config(config, SearchConfig, overrides)
        from training.learn.search import search as run
        from training.learn.search import table
        from training.run_log import on_screen

        with redirect_stdout(sys.stderr), on_screen(verbose=verbose):
            found = run(settings, command=command_line(sys.argv))
    print(table(found), end="")
    print(f"verdict train --config {settings.output / 'best.yaml'}", file=sys.stderr)
