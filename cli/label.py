"""`verdict label`: let a trained network judge texts for a student; a thin shell over `training.learn.label`."""

from pathlib import Path
from typing import Annotated

import typer

from cli._training import one_line_errors, show


def label(  # noqa: PLR0913, PLR0917 - each option of a command is a parameter
    run: Annotated[Path, typer.Argument(help="Folder of the teacher's training run.")],
    data: Annotated[str, typer.Argument(help="CSV, Parquet or JSON-lines file; its labels, if any, are not read.")],
    output: Annotated[Path, typer.Argument(help="Folder of answers; a started one is gone on with.")],
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint's folder; the run's best if not given.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Found by its name when not given.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=8, help="Context, if not as trained.")] = None,
    unsure: Annotated[
        Path | None, typer.Option(help="Answers of another model: judge only where it is unsure.")
    ] = None,
    below: Annotated[float, typer.Option(help="What counts as unsure: its best probability is below this.")] = 0.95,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge at most this many rows.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write what a trained network says of every text of a file, part by part."""
    with one_line_errors():
        from training.learn.label import label as run_label
        from training.recipes.options import checked
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
    show({"rows": rows, "output": str(output)}, title="Judged texts", as_json=json)
