"""`verdict validate`: print the predictions of a model for some texts, without a service."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli._training import one_line_errors


def validate(
    model: Annotated[Path, typer.Argument(help="Model folder, or the folder of a training run.")],
    examples: Annotated[
        list[str], typer.Option("--examples", "--example", "-e", help="A text; may be repeated.", show_default=False)
    ],
    point: Annotated[
        str | None, typer.Option(help="fast, balanced, accurate or full; by default the model's own.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Load a model in this process and print the sentiment and the confidence of each text."""
    with one_line_errors():
        from training.judge import judge

        answers = judge(model, examples, threads=threads, point=point)
    found: list[dict[str, Any]] = [
        {"text": text, "sentiment": each.sentiment, "confidence": each.confidence, "probabilities": each.probabilities}
        for text, each in zip(examples, answers, strict=True)
    ]
    if json:
        _print_json(found)
        return
    table = Table("text", "sentiment", "confidence")
    for each in found:
        table.add_row(each["text"], each["sentiment"], f"{each['confidence']:.4f}")
    Console(markup=False).print(table)


def _print_json(found: list[dict[str, Any]]) -> None:
    import json

    print(json.dumps(found, ensure_ascii=False, indent=2))
