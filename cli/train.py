"""`verdict train`: from labelled reviews to a classifier (training.recipes)."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from cli._training import ConfigOption, OverrideOption, VerboseOption, command_line, one_line_errors, show

DEFAULT_CONFIG = Path("training/configs/imdb.yaml")


def train(
    config: ConfigOption = DEFAULT_CONFIG,
    override: OverrideOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted recipe; finished steps are not repeated.")
    ] = False,
    verbose: VerboseOption = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result of the last step as JSON.")] = False,
) -> None:
    """Fine-tune a pretrained encoder on labelled reviews, or run every step of a recipe up to a served model."""
    with one_line_errors():
        from training.recipes.recipe import load_recipe

        steps = load_recipe(config, override or ())
        from training.recipes.checks import check_data

        check_data(steps)
        from training.recipes.steps import check, run_step
        from training.run_log import on_screen

        check(steps, resume=resume)
        for place, step in enumerate(steps, start=1):
            print(f"Step {place} of {len(steps)}: {step.kind}", file=sys.stderr)
            with redirect_stdout(sys.stderr), on_screen(verbose=verbose):
                outcome = run_step(step, command_line(sys.argv))
    show(outcome, title=steps[-1].kind.capitalize(), as_json=json)
