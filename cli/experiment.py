"""`verdict experiment`: compare losses or preprocessings over several seeds (training.learn.experiment)."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

from cli._training import ConfigOption, OverrideOption, VerboseOption, command_line, one_line_errors

DEFAULT_CONFIG = Path("training/configs/losses.yaml")


def experiment(
    config: ConfigOption = DEFAULT_CONFIG,
    override: OverrideOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Train with each variant and seed, and write a table and a plot; finished runs are not repeated."""
    with one_line_errors():
        from training.recipes.options import ExperimentConfig
        from training.recipes.reading import load_config

        settings = load_config(config, ExperimentConfig, override or ())
        from training.learn.experiment import experiment as run
        from training.learn.experiment import table
        from training.run_log import on_screen

        with redirect_stdout(sys.stderr), on_screen(verbose=verbose):
            results = run(settings, command=command_line(sys.argv))
    print(table(results, settings.variants()[0]), end="")
