"""`verdict label`: label texts with a trained network for a student (training.learn.label)."""

from pathlib import Path
from typing import Annotated

import typer

from cli._training import one_line_errors, show


def label(  # noqa: PLR0913, PLR0917 - each option of a command is a parameter
    run: Annotated[Path, typer.Argument(help="Folder of the teacher's training run.")],
    data: Annotated[str, typer.Argument(help="CSV, Parquet or JSON-lines file; its labels are not read.")],
    output: Annotated[Path, typer.Argument(help="Folder of the predictions; an incomplete one is continued.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of a checkpoint; by default the best of the run.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Name of the column; detected by default.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=8, help="Tokens read of each text; by default as trained.")
    ] = None,
    unsure: Annotated[
        Path | None, typer.Option(help="Predictions of another model: label only the texts where it is unsure.")
    ] = None,
    below: Annotated[
        float, typer.Option(help="A prediction is unsure when its best probability is below this value.")
    ] = 0.95,
    limit: Annotated[int | None, typer.Option(min=1, help="Most rows to label; by default all.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write the predictions of a trained network for every text of a file, part by part."""
    with one_line_errors():
        from training.learn.label import label as run_label
        from training.recipes.reading import checked
        from training.recipes.recipe import LabelConfig

        given = {
            "run": run,
            "data": data,
            "output": output,
            "checkpoint": checkpoint,
            "text_column": text_column,
            "max_tokens": max_tokens,
            "unsure": unsure,
            "below": below,
            "limit": limit,
        }
        rows = run_label(checked(LabelConfig, given))
    show({"rows": rows, "output": str(output)}, title="Labelled texts", as_json=json)
