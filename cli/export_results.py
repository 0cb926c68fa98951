"""`verdict export-results`: write the results of a job of a running service to a file, now or again."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli._results import BomOption, ForceOption, KeepFormulasOption, output, save
from cli._service import service
from cli.output import UrlOption, say
from verdict.calls import ResultsFormat


def export_results(  # noqa: PLR0913, PLR0917  a command's options are its parameters
    job_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the job.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="File for the results; `-` is stdout.")],
    results_format: Annotated[ResultsFormat | None, typer.Option("--format", help="If the name does not say.")] = None,
    status: Annotated[str | None, typer.Option(help="Only rows in this state, e.g. failed.")] = None,
    keep_formulas: KeepFormulasOption = False,
    bom: BomOption = False,
    force: ForceOption = False,
    url: UrlOption = "http://127.0.0.1:8000",
) -> None:
    """Write the results of the job ID, those that are there; a broken download is gone on with."""
    wanted = replace(output(out, force=force, keep_formulas=keep_formulas), status=status)
    wanted = replace(wanted, format=results_format or wanted.format, bom=bom)
    with service(url) as client:
        save(client, job_id, wanted)
    if not wanted.is_stdout:
        say(f"results: {out}")
