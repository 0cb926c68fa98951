"""`job`: show the counts and results of a job of a running service, or follow it to its end."""

from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from verdict import Job
from verdict_cli import output as command
from verdict_cli.commands.classify import cells, is_success
from verdict_cli.follow import follow as follow_to_the_end
from verdict_cli.output import CommandError, JsonOption, UrlOption, show
from verdict_cli.results import BomOption, ForceOption, KeepFormulasOption, OutputOption, output, summary
from verdict_cli.service import service


def job(  # noqa: PLR0913, PLR0917  a command's options are its parameters
    job_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the job.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job has ended.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Wait with a progress bar, then print a summary.")] = False,
    out: OutputOption = None,
    keep_formulas: KeepFormulasOption = False,
    bom: BomOption = False,
    force: ForceOption = False,
    url: UrlOption = "http://127.0.0.1:8000",
    json: JsonOption = False,
) -> None:
    """Show the job ID: its state, its counts and, for a small job, the results so far.

    With --follow, continue an interrupted `submit`: wait for the end and write the results to -o.

    Exit code 0: the job runs, or every review has a result; 1: it ended without some; 2: no such job, or no service.
    With --follow, as for `submit`.
    """
    if out and not follow:
        raise CommandError(f"-o needs --follow; `{command.program} export-results` writes the results so far")
    wanted = output(out, force=force, keep_formulas=keep_formulas, as_json=json, bom=bom) if out else None
    with service(url) as client:
        found = client.job(job_id)
        if follow:
            follow_to_the_end(client, found, wanted, url, as_json=json)
            return
        if wait:
            found = client.wait(found)
    show(found.model_dump(mode="json"), as_json=json, table=lambda: _tables(found))
    if found.has_ended and not is_success(found):
        raise typer.Exit(1)


def _tables(found: Job) -> Group:
    if found.results is None:
        return Group(summary(found, None), f"results: {command.program} export-results {found.id} -o results.csv")
    table = Table("review", "sentiment", "confidence", "model", "timing", box=None)
    for result in found.results:
        table.add_row(str(result.index), *cells(result))
    return Group(summary(found, None), "", table)
