"""`classify`: submit texts to a running service as one job and show the results."""

import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from verdict import Job, Result
from verdict_cli.output import CommandError, JsonOption, UrlOption, show
from verdict_cli.service import ModelOption, Warnings, service

TEXT_COLUMNS = 60
WAIT_SECONDS = 25


def classify(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Reviews; `-` reads one a line from stdin.")],
    model: ModelOption = None,
    url: UrlOption = "http://127.0.0.1:8000",
    json: JsonOption = False,
) -> None:
    """Classify TEXTs with a running service.

    Exit code 0: every text has a result; 1: some failed; 2: nothing was submitted.
    """
    reviews = [line for text in texts for line in (_lines() if text == "-" else [text])]
    if not reviews:
        raise CommandError("no text to classify")
    with service(url) as client:
        warn = Warnings()
        job = client.wait(warn(client.submit(reviews, wait=WAIT_SECONDS, model=model)), on_progress=warn)
        results = list(client.results(job))
    whole = job.model_copy(update={"results": results})
    show(whole.model_dump(mode="json"), as_json=json, table=lambda: _table(reviews, results))
    if not is_success(job):
        raise typer.Exit(1)


def is_success(job: Job) -> bool:
    """Tell whether every review of an ended job has a result."""
    return job.status == "succeeded" and not job.counts.failed


def cells(result: Result) -> tuple[str, str, str, str]:
    """Return the table cells of a result: sentiment, confidence, model, timing; or the reason for a failure."""
    if result.status != "succeeded":
        return f"[red]{result.status}[/]", "", "", escape(result.error.detail if result.error else "")
    colour = "green" if result.sentiment == "positive" else "magenta"
    timing = " + ".join(f"{stage} {ms:.1f} ms" for stage, ms in result.timings_ms.items() if ms is not None)
    return (
        " ".join([f"[{colour}]{result.sentiment}[/]", *(f"({note})" for note in _notes(result))]),
        f"{result.confidence:.3f}",
        f"{result.model.name} {result.model.version}" if result.model else "",
        timing,
    )


def _notes(result: Result) -> list[str]:
    return [*(["truncated"] if result.truncated else []), *(f"warning: {name}" for name in result.warnings)]


def _table(reviews: list[str], results: list[Result]) -> Table:
    table = Table("text", "sentiment", "confidence", "model", "timing", box=None)
    for result in results:
        text = reviews[result.index]
        table.add_row(escape(_shortened(text)), *cells(result))
    return table


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= TEXT_COLUMNS else one_line[: TEXT_COLUMNS - 1] + "…"


def _lines() -> list[str]:
    return [line for line in map(str.strip, sys.stdin) if line]
