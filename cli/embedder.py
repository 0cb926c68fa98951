"""`verdict embedder`: fit the embedder that finds similar reviews (training.learn.fit_embedder)."""

from pathlib import Path
from typing import Annotated

import typer

from cli._training import ConfigOption, OverrideOption, one_line_errors, show

DEFAULT_CONFIG = Path("training/configs/embedder.yaml")


def embedder(
    config: ConfigOption = DEFAULT_CONFIG,
    override: OverrideOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Fit an embedder of reviews and measure it on the validation split."""
    with one_line_errors():
        from training.recipes.options import EmbedderConfig
        from training.recipes.reading import load_config

        settings = load_config(config, EmbedderConfig, override or ())
        from training.learn.fit_embedder import fit_embedder

        figures = fit_embedder(settings)
    show(figures, title="Validation", as_json=json)
