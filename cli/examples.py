"""`verdict examples`: manage the labelled reviews that similar reviews come from (cli._examples)."""

from contextlib import AbstractContextManager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from verdict_cli.output import CommandError, JsonOption, say, show
from verdict_cli.progress import progress
from verdict_cli.reading import LabelsOption

examples = typer.Typer(no_args_is_help=True, help="Labelled reviews that similar reviews come from.")


@examples.command()
def add(  # noqa: PLR0913, PLR0917  a command's options are its parameters
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSON, NDJSON, .xlsx, .ods or Parquet.")],
    name: Annotated[str | None, typer.Option(help="Name of the data set; by default that of the file.")] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column with the review, by name or number; detected by default.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column with the label, by name or number; detected by default.")
    ] = None,
    group_column: Annotated[str | None, typer.Option(help="Column with the subject, such as the film.")] = None,
    meanings: LabelsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Number of rows to read; by default all.")] = None,
    json: JsonOption = False,
) -> None:
    """Add labelled reviews as a data set; a repeated call writes only changed rows."""
    work = _work()
    dataset = name or file.name.partition(".")[0]
    if dataset == work.OF_CALLERS:
        raise CommandError(
            f"the data set {dataset} holds the reviews that callers share; choose another name with --name"
        )
    with _store() as engine:
        labels, embedder = work.model()
        counts, wanted = work.AddedExamples(), work.wanted(file, text_column, label_column, group_column)
        mapping = work.parse_labels(meanings)
        rows = islice(work.labelled_rows(file, wanted, labels, counts, mapping), limit)
        with progress(f"adding {dataset}") as report:
            for done in work.add(engine, dataset, embedder, rows, counts):
                report(done.written + done.known, limit, done.words())
    if embedder is None:
        say("the model has no embedder; run `verdict examples embed` after a model with one is installed")
    show(counts.record(dataset), as_json=json, table=lambda: f"{dataset}: {counts.words()}")


@examples.command("list")
def list_(json: JsonOption = False) -> None:
    """List the data sets with their labels: examples, and those that the model's embedder has embedded."""
    work = _work()
    with _store() as engine:
        _, embedder = work.model()
        rows = [asdict(row) for row in work.datasets(engine, embedder)]

    def table() -> Table:
        drawn = Table("data set", "label", "examples", "embedded")
        for row in rows:
            drawn.add_row(*map(str, row.values()))
        return drawn

    show(rows, as_json=json, table=table)


@examples.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set.")]) -> None:
    """Remove a data set; stored results keep their similar reviews."""
    work = _work()
    with _store() as engine:
        removed = work.remove(engine, name)
    if not removed:
        raise CommandError(f"there is no data set {name}; `verdict examples list` shows all")
    say(f"{removed:,} examples removed")


@examples.command()
def embed() -> None:
    """Embed all examples that this model's embedder has not embedded yet, as after a change of the model."""
    work = _work()
    with _store() as engine:
        _, embedder = work.model()
        if embedder is None:
            raise CommandError("the model has no embedder")
        done = 0
        with progress("embedding") as report:
            for done in work.embed_again(engine, embedder):
                report(done, None, f"{done:,} examples")
    say(f"{done:,} examples embedded")


def _store() -> AbstractContextManager[Any]:
    from cli._store import store

    return store()


def _work() -> Any:
    try:
        from cli import _examples
    except ImportError as exc:
        raise CommandError(f"{exc.name} is not installed; `verdict examples` needs the extra `worker`") from exc
    return _examples
