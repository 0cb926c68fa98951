"""Options that say how to read a file, and the format that its name tells."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from verdict import UnknownFormat
from verdict.uploads import Format, Reading, named
from verdict_cli.output import CommandError

STDIN = Path("-")

FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="csv for a table, ndjson for JSON; by default as the file name says, csv for stdin."),
]
TextOption = Annotated[
    str | None, typer.Option("--text-column", help="Name or number of the column with the review; detected by default.")
]
IdOption = Annotated[str | None, typer.Option("--id-column", help="Name or number of the column with your id.")]
LabelOption = Annotated[
    str | None, typer.Option("--label-column", help="Column with the true label, for accuracy and F1.")
]
LabelsOption = Annotated[
    str | None, typer.Option("--labels", help="Meaning of the label values, such as 1:negative,5:positive.")
]
DelimiterOption = Annotated[str | None, typer.Option("--delimiter", help="Separator of cells; detected by default.")]
QuotingOption = Annotated[
    Literal["doubled", "backslash", "none"] | None,
    typer.Option("--quoting", help="How cells write a quote; none: a quote is an ordinary character."),
]
HeaderOption = Annotated[
    str | None, typer.Option("--header", help="none, the line number of the header, or its first and last line: 1-2.")
]
EncodingOption = Annotated[
    str | None, typer.Option("--encoding", help="Such as windows-1252 or mac-roman; detected by default.")
]
EncodingErrorsOption = Annotated[
    Literal["strict", "row", "replace"] | None,
    typer.Option("--encoding-errors", help="An undecodable byte refuses the file, fails its row, or is replaced."),
]
NullWordsOption = Annotated[
    Literal["empty", "keep"] | None,
    typer.Option(
        "--null-words", help="empty: NULL, N/A and the like count as empty and fail; keep: they are classified."
    ),
]


def format_of(file: Path, file_format: Format | None) -> tuple[Format, Reading]:
    """Return the format of a file, and the options that its name tells.

    Raises:
        CommandError: neither the name nor the option tells the format.
    """
    try:
        said = named(file, file_format or ("csv" if file == STDIN else None))
    except UnknownFormat as exc:
        raise CommandError(f"{file}: the name tells no format; add --format csv or --format ndjson") from exc
    return said.format, {"delimiter": said.delimiter}
