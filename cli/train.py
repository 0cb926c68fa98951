"""`verdict train`: fine-tune a classifier; a thin shell over `training.train`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli._training import command_line, one_line_errors, show

DEFAULT_CONFIG = Path("training/configs/imdb.yaml")


def train(
    config: Annotated[Path, typer.Option("--config", "-c", help="YAML file with the recipe.")] = DEFAULT_CONFIG,
    override: Annotated[
        list[str] | None, typer.Option("--override", "-o", help="key=value laid over the file; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the run's record as JSON.")] = False,
) -> None:
    """Fine-tune a pretrained encoder on labelled reviews and keep the checkpoint with the best F1."""
    with one_line_errors():
        from training.config import TrainConfig, load_config

        settings = load_config(config, TrainConfig, override or ())
        from training.train import train as run

        record = asdict(run(settings, resume=resume, command=command_line(sys.argv)))
    show(record, title="Training run", as_json=json)
