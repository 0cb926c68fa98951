"""`verdict ngram`: fit the linear n-gram classifier (training.learn.fit_ngrams)."""

from pathlib import Path
from typing import Annotated

import typer

from cli._training import ConfigOption, OverrideOption, one_line_errors, show

DEFAULT_CONFIG = Path("training/configs/ngram.yaml")


def ngram(
    config: ConfigOption = DEFAULT_CONFIG,
    override: OverrideOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Fit a linear classifier over n-grams of word pieces and measure it on the validation split."""
    with one_line_errors():
        from training.recipes.options import NgramConfig
        from training.recipes.reading import load_config

        settings = load_config(config, NgramConfig, override or ())
        from training.learn.fit_ngrams import fit_ngrams

        figures = fit_ngrams(settings)
    show(figures, title="Validation", as_json=json)
