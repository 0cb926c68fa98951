"""`verdict examples`: the labelled reviews that similar ones are shown from; a thin shell over `cli._examples`."""

from contextlib import AbstractContextManager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli._progress import progress
from cli._reading import LabelsOption
from cli.output import CommandError, JsonOption, say, show

examples = typer.Typer(no_args_is_help=True, help="Labelled reviews that similar ones are shown from.")


@examples.command()
def add(  # noqa: PLR0913, PLR0917  a command's options are its parameters
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSON, NDJSON, .xlsx, .ods or Parquet.")],
    name: Annotated[str | None, typer.Option(help="Of the data set; the file's name if not given.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the review; found by name if not given.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column with the label, by name or number.")] = None,
    group_column: Annotated[str | None, typer.Option(help="Column with what it is about, such as the film.")] = None,
    meanings: LabelsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first rows.")] = None,
    json: JsonOption = False,
) -> None:
    """Add labelled reviews as a data set; added again, only what has changed is written."""
    work = _work()
    dataset = name or file.name.partition(".")[0]
    if dataset == work.OF_CALLERS:
        raise CommandError(f"the data set {dataset} holds what callers share; choose another name with --name")
    with _store() as engine:
        labels, embedder = work.model()
        tally, wanted = work.AddedExamples(), work.wanted(file, text_column, label_column, group_column)
        told = work.parse_labels(meanings)
        rows = islice(work.labelled_rows(file, wanted, labels, tally, told), limit)
        with progress(f"adding {dataset}") as report:
            for done in work.add(engine, dataset, embedder, rows, tally):
                report(done.written + done.known, limit, done.words())
    if embedder is None:
        say("the model has no embedder: `verdict examples embed` makes them searchable when it has one")
    show(tally.record(dataset), as_json=json, table=lambda: f"{dataset}: {tally.words()}")


@examples.command("list")
def list_(json: JsonOption = False) -> None:
    """List the data sets: examples of each label, and how many the model's embedder has embedded."""
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
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="Of the data set.")]) -> None:
    """Remove a data set; answers that were given keep what they show."""
    work = _work()
    with _store() as engine:
        removed = work.remove(engine, name)
    if not removed:
        raise CommandError(f"there is no data set {name}; `verdict examples list` shows all")
    say(f"{removed:,} examples removed")


@examples.command()
def embed() -> None:
    """Embed examples again that another embedder has embedded, or none: after a change of the model."""
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
        raise CommandError(f"{exc.name} is not installed; pip install 'verdict[worker]'") from exc
    return _examples
