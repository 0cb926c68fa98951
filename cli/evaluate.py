"""`verdict evaluate`: measure a model folder on labelled reviews (training.evaluate)."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli._training import one_line_errors, show
from training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.evaluate import ModelEvaluation
    from training.metrics import GroupScore


def evaluate(  # noqa: PLR0913, PLR0917 - each option of a command is a parameter
    model: Annotated[Path, typer.Argument(help="Model folder, models/<name>/<version>.")],
    data: Annotated[str, typer.Argument(help="CSV, Parquet or JSON-lines file, or a data set on the hub.")],
    split: Annotated[str, typer.Option(help="Split of a hub data set.")] = "test",
    text_column: Annotated[str | None, typer.Option(help="Name of the column; detected by default.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Name of the column; detected by default.")] = None,
    point: Annotated[
        str | None, typer.Option(help="fast, balanced, accurate or full; by default the model's own.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Also report each value of this column, and the mean over them.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="column=value,value: skip these rows; only for Parquet and hub data sets.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Number of reviews, drawn at random; by default all.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    token_budget: Annotated[int | None, typer.Option(min=1, help="Most padded tokens in a micro-batch.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Report accuracy, precision, recall, F1, confusion matrix, calibration error and speed of a served model."""
    with one_line_errors():
        from inference.manifest import load_manifest
        from training.data.reviews import DataSource, load_reviews, sample
        from training.evaluate import evaluate as run

        names = load_manifest(model).labels
        left_out = dict(_left_out(item) for item in without or ())
        source = DataSource(data, split, text_column, label_column, group_column=by, names=names, without=left_out)
        reviews = load_reviews(source)
        part = sample(reviews, limit, seed=0)
        result = run(model, part, threads=threads, token_budget=token_budget, point=point)
    if json:
        show(asdict(result), title="", as_json=True)
    else:
        _print(result)


def _left_out(item: str) -> tuple[str, list[str]]:
    column, equals, values = item.partition("=")
    if not equals or not column or not values:
        raise TrainingError(f"--without {item}: must be column=value or column=value,value")
    return column, values.split(",")


def _print(result: "ModelEvaluation") -> None:
    scores = result.scores
    console = Console()
    stages: dict[str, object] = {"point": result.point, **result.stages} if result.point else {}
    show(
        {"reviews": scores.n, "accuracy": scores.accuracy, "precision (macro)": scores.macro_precision}
        | {"recall (macro)": scores.macro_recall, "F1 (macro)": scores.macro_f1, "ECE (15 bins)": scores.ece}
        | {"truncated": result.truncated, "reviews/s": round(result.reviews_per_second, 1)}
        | stages,
        title=f"{result.model} {result.version} ({result.precision}, {result.threads} threads)",
        as_json=False,
    )
    labels = [row.label for row in scores.labels]
    table = Table("true label", *(f"predicted {label}" for label in labels), "precision", "recall", "F1")
    for row, counts in zip(scores.labels, scores.confusion, strict=True):
        table.add_row(row.label, *map(str, counts), *(f"{v:.4f}" for v in (row.precision, row.recall, row.f1)))
    console.print(table)
    if result.groups:
        _print_groups(console, result.groups)
    _print_groups(console, result.lengths)


def _print_groups(console: Console, groups: "Sequence[GroupScore]") -> None:
    labels = list(groups[0].recalls)
    table = Table("reviews", "n", "accuracy", *(f"recall of {label}" for label in labels), "ECE")
    for each in groups:
        recalls = (f"{each.recalls[label]:.4f}" for label in labels)
        table.add_row(each.group, f"{each.n:,}", f"{each.accuracy:.4f}", *recalls, f"{each.ece:.4f}")
    mean = sum(each.accuracy for each in groups) / len(groups)
    table.add_row("mean", "", f"{mean:.4f}", *("" for _ in labels), "")
    console.print(table)
