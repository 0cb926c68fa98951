"""`verdict ngram`: fit the linear n-gram classifier; a thin shell over `training.ngrams`."""

from pathlib import Path
from typing import Annotated

import typer

from cli._training import one_line_errors, show

DEFAULT_CONFIG = Path("training/configs/ngram.yaml")


def ngram(
    config: Annotated[Path, typer.Option("--config", "-c", help="YAML file with the recipe.")] = DEFAULT_CONFIG,
    override: Annotated[
        list[str] | None, typer.Option("--override", "-o", help="key=value laid over the file; may be repeated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Fit a linear classifier over n-grams of word pieces and measure it on the validation split."""
    with one_line_errors():
        from training.config import NgramConfig, load_config

        settings = load_config(config, NgramConfig, override or ())
        from training.ngrams import fit_ngrams

        figures = fit_ngrams(settings)
    show(figures, title="Validation", as_json=json)
