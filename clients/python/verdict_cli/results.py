"""The file for results, checked before anything is sent, and the summary of a job."""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from verdict import Client, Evaluation, Job
from verdict.calls import ResultsFormat
from verdict.connections import DEFAULT_URL
from verdict_cli import output as command
from verdict_cli.output import CommandError
from verdict_cli.progress import transfer

OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File for the results: .csv, .ndjson or .parquet; `-` is stdout."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]
KeepFormulasOption = Annotated[
    bool, typer.Option("--keep-formulas", help="Do not escape cells that a spreadsheet would run as a formula.")
]
BomOption = Annotated[bool, typer.Option("--bom", help="Begin CSV results with a UTF-8 byte order mark, for Excel.")]
STDOUT = Path("-")
SUFFIXES: dict[str, ResultsFormat] = {
    **dict.fromkeys((".csv", ".tsv", ".txt", ""), "csv"),
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Output:
    """The file for results, their format, and a filter by state."""

    path: Path
    format: ResultsFormat
    keep_formulas: bool = False
    status: str | None = None
    bom: bool = False

    def __post_init__(self) -> None:
        """Refuse a byte order mark in other formats than CSV."""
        if self.bom and self.format != "csv":
            raise CommandError(f"--bom goes with CSV results; {self.path} gets {self.format}")

    @property
    def is_stdout(self) -> bool:
        """Whether results go to stdout, so that nothing else may be printed there."""
        return self.path == STDOUT


def output(path: Path, *, force: bool, keep_formulas: bool, as_json: bool = False, bom: bool = False) -> Output:
    """Return the output at `path`, in the format that its suffix tells.

    Raises:
        CommandError: the file cannot be written, or exists and `force` is not set.
    """
    if as_json and path == STDOUT:
        raise CommandError("--json and -o - would both write to stdout")
    kind = "csv" if path == STDOUT else SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise CommandError(f"{path} cannot be written: results are .csv, .ndjson or .parquet, not {path.suffix}")
    wanted = Output(path, kind, keep_formulas, bom=bom)
    if wanted.is_stdout:
        return wanted
    if path.is_dir() or not path.parent.is_dir():
        raise CommandError(f"{path} cannot be written: {path if path.is_dir() else path.parent} is {_kind(path)}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CommandError(f"{path} cannot be written: no right to write in {path.parent}")
    if path.exists() and not force:
        raise CommandError(f"{path} exists already; --force replaces it")
    return wanted


def _kind(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    return "no folder" if path.parent.exists() else "not there"


def save(client: Client, job: Job | str, wanted: Output) -> None:
    """Download the results; a part that an earlier command left is resumed."""
    destination = sys.stdout.buffer if wanted.is_stdout else wanted.path
    with transfer("downloading", None) as count:
        client.download(
            job,
            destination,
            format=wanted.format,
            status=wanted.status,
            formulas="keep" if wanted.keep_formulas else "escape",
            bom=wanted.bom,
            on_received=count,
        )
    if wanted.is_stdout:
        sys.stdout.buffer.flush()


def follow_command(job: Job, wanted: Output | None, url: str) -> str:
    """Return the command that follows a job."""
    words = [command.program, "job", job.id, "--follow"]
    if wanted:
        words += ["-o", str(wanted.path)]
        words += ["--keep-formulas"] if wanted.keep_formulas else []
        words += ["--bom"] if wanted.bom else []
    return shlex.join(words + (["--url", url] if url != DEFAULT_URL else []))


def summary(job: Job, wanted: Output | None) -> RenderableType:
    """Draw the counts of a job, and its scores if its file has labels."""
    states = [f"{number:,} {state}" for state, number in _states(job).items() if number]
    lines = [f"{job.id}: [bold]{job.status}[/]", f"{job.counts.total:,} rows: {', '.join(states)}"]
    if job.warning:
        lines.append(escape(job.warning))
    if wanted and not wanted.is_stdout:
        lines.append(f"results: {escape(str(wanted.path))}")
    return Group(*lines, *(_scores(job.evaluation) if job.evaluation else ()))


def _states(job: Job) -> dict[str, int]:
    return {name: getattr(job.counts, name) for name in ("succeeded", "failed", "cancelled", "queued", "processing")}


def _scores(found: Evaluation) -> list[RenderableType]:
    unknown = f", {found.unknown_labels:,} with an unknown label" if found.unknown_labels else ""
    lines: list[RenderableType] = ["", f"compared with {found.labelled:,} labelled rows{unknown}:"]
    if found.accuracy is None or found.macro_f1 is None:
        return lines
    matrix = Table("true label", *(f"answered {escape(label)}" for label in found.labels), box=None)
    for label, row in zip(found.labels, found.confusion_matrix, strict=True):
        matrix.add_row(escape(label), *(f"{number:,}" for number in row))
    return [*lines, f"accuracy {found.accuracy:.4f}, macro F1 {found.macro_f1:.4f}", matrix]
