"""`export-results`: write the results of a job of a running service to a file."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from verdict.calls import ResultsFormat
from verdict_cli.output import UrlOption, say
from verdict_cli.results import BomOption, ForceOption, KeepFormulasOption, output, save
from verdict_cli.service import service


def export_results(  # noqa: PLR0913, PLR0917  a command's options are its parameters
    job_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the job.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="File for the results; `-` is stdout.")],
    results_format: Annotated[
        ResultsFormat | None, typer.Option("--format", help="By default as the file name says.")
    ] = None,
    status: Annotated[str | None, typer.Option(help="Only rows in this state, e.g. failed.")] = None,
    keep_formulas: KeepFormulasOption = False,
    bom: BomOption = False,
    force: ForceOption = False,
    url: UrlOption = "http://127.0.0.1:8000",
) -> None:
    """Write the results of the job ID that exist so far; a broken download resumes."""
    wanted = replace(output(out, force=force, keep_formulas=keep_formulas), status=status)
    wanted = replace(wanted, format=results_format or wanted.format, bom=bom)
    with service(url) as client:
        save(client, job_id, wanted)
    if not wanted.is_stdout:
        say(f"results: {out}")
