"""`verdict pretrain`: masked-language training on reviews (training.learn.pretrain)."""

from pathlib import Path
from typing import Annotated

import typer

from cli._training import ConfigOption, OverrideOption, one_line_errors, show

DEFAULT_CONFIG = Path("training/configs/pretrain.yaml")


def pretrain(
    config: ConfigOption = DEFAULT_CONFIG,
    override: OverrideOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Continue the masked-language training of a base model on reviews; the result is a base model for `train`."""
    with one_line_errors():
        from training.recipes.options import PretrainConfig
        from training.recipes.reading import load_config

        settings = load_config(config, PretrainConfig, override or ())
        from training.learn.pretrain import pretrain as run

        figures = run(settings, resume=resume)
    show(figures, title="Pretraining", as_json=json)
