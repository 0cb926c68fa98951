"""`verdict export`: turn a training run into a served model (training.export.export_model)."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli._training import VerboseOption, command_line, one_line_errors, show


def export(  # noqa: PLR0913, PLR0917 - each option of a command is a parameter
    run: Annotated[Path, typer.Argument(help="Folder of a training run, such as runs/imdb.")],
    target: Annotated[Path, typer.Argument(help="Folder to create, models/<name>/<version>.")],
    precision: Annotated[str, typer.Option(help="int8 or float32.")] = "int8",
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of a checkpoint; by default the best of the run.")
    ] = None,
    golden: Annotated[
        Path | None, typer.Option(help="YAML list of sentences with labels that every sound model predicts.")
    ] = None,
    ngrams: Annotated[Path | None, typer.Option(help="Folder of `verdict ngram`, as the first stage.")] = None,
    embedder: Annotated[Path | None, typer.Option(help="Folder of `verdict embedder`, for similar reviews.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Labelled data for the measurement of the result.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=8, help="Tokens read of each text; by default as trained.")
    ] = None,
    token_budget: Annotated[int, typer.Option(min=1, help="Most padded tokens in a micro-batch.")] = 1280,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the measurements.")] = 2,
    verbose: VerboseOption = False,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Export the best checkpoint to ONNX, quantise and calibrate it, and write manifest and model card."""
    with one_line_errors():
        from training.export.export_model import export as run_export
        from training.recipes.reading import checked
        from training.recipes.recipe import ExportConfig
        from training.run_log import on_screen

        given = {
            "run": run,
            "target": target,
            "precision": precision,
            "checkpoint": checkpoint,
            "golden": golden,
            "ngrams": ngrams,
            "embedder": embedder,
            "test": test or [],
            "max_tokens": max_tokens,
            "token_budget": token_budget,
            "threads": threads,
        }
        with on_screen(verbose=verbose):
            manifest = run_export(checked(ExportConfig, given), command=command_line(sys.argv))
    values = manifest.model_dump(mode="json", exclude_none=True)
    parts = {key: values[key] for key in ("labels", "max_tokens", "calibration", "batching")}
    shown = values if json else parts | ({"points": manifest.cascade.points} if manifest.cascade else {})
    show(shown, title=f"{manifest.name} {manifest.version} in {target}", as_json=json)
