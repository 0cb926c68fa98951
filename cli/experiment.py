"""`verdict experiment`: losses against each other over several seeds; a thin shell over `training.experiment`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

from cli._training import ConfigOption, OverrideOption, command_line, one_line_errors

DEFAULT_CONFIG = Path("training/configs/losses.yaml")


def experiment(
    config: ConfigOption = DEFAULT_CONFIG,
    override: OverrideOption = None,
) -> None:
    """Train with each loss and seed, and write a table and a plot; what has ended is not run again."""
    with one_line_errors():
        from training.config import ExperimentConfig, load_config

        settings = load_config(config, ExperimentConfig, override or ())
        from training.experiment import experiment as run
        from training.experiment import table

        with redirect_stdout(sys.stderr):  # the Trainer prints its progress
            results = run(settings, command=command_line(sys.argv))
    print(table(results), end="")
