"""`verdict job`: show a job of a running service, its counts and its results."""

from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from cli.classify import cells, is_success
from cli.client import ENDED, Client, Job, Result
from cli.output import JsonOption, UrlOption, show


def job(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the job.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job has ended.")] = False,
    url: UrlOption = "http://127.0.0.1:8000",
    json: JsonOption = False,
) -> None:
    """Show the job ID: its state, its counts and the results that are there.

    Exit code 0: it runs, or every review has a result; 1: it ended without; 2: it could not be asked for.
    """
    with Client(url) as client:
        found = client.job(job_id)
        if wait:
            found = client.ended(found)
        results = list(client.results(found))
    show({**found, "results": results}, as_json=json, table=lambda: _tables(found, results))
    if found["status"] in ENDED and not is_success(found):
        raise typer.Exit(1)


def _tables(found: Job, results: list[Result]) -> Group:
    counts = ", ".join(f"{number} {state}" for state, number in found["counts"].items() if number)
    table = Table("review", "sentiment", "confidence", "model", "timing", box=None)
    for result in results:
        table.add_row(str(result["index"]), *cells(result))
    return Group(f"{found['id']}: [bold]{found['status']}[/] ({counts})", "", table)
