"""How a file is to be read: the options of `verdict submit` and the words for what its name says."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.output import CommandError
from verdict import UnknownFormat
from verdict.uploads import Format, Reading, named

STDIN = Path("-")

FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="csv for a table, ndjson for JSON, if the name does not say; stdin is csv."),
]
TextOption = Annotated[
    str | None, typer.Option("--text-column", help="Name or number of the column with the review; found if not given.")
]
IdOption = Annotated[str | None, typer.Option("--id-column", help="Name or number of the column with your id.")]
LabelOption = Annotated[
    str | None, typer.Option("--label-column", help="Column with the true label, to measure the answers by.")
]
LabelsOption = Annotated[
    str | None, typer.Option("--labels", help="What its values mean, if they do not tell it: 1:negative,5:positive.")
]
DelimiterOption = Annotated[str | None, typer.Option("--delimiter", help="What separates cells; found if not given.")]
QuotingOption = Annotated[
    Literal["doubled", "backslash", "none"] | None,
    typer.Option("--quoting", help="How quotes stand within cells; none: they are signs like others."),
]
HeaderOption = Annotated[
    str | None, typer.Option("--header", help="none, the number of its line, or its first and last line: 1-2.")
]
EncodingOption = Annotated[
    str | None, typer.Option("--encoding", help="Such as windows-1252 or mac-roman; found if not given.")
]
EncodingErrorsOption = Annotated[
    Literal["strict", "row", "replace"] | None,
    typer.Option("--encoding-errors", help="A byte that the encoding lacks fails its row, the file, or is replaced."),
]
NullWordsOption = Annotated[
    Literal["empty", "keep"] | None, typer.Option("--null-words", help="keep: NULL, N/A and the like are judged.")
]


def format_of(file: Path, file_format: Format | None) -> tuple[Format, Reading]:
    """Return the format of a file, and what its name says of how it is read.

    Raises:
        CommandError: neither its name nor the option tells the format.
    """
    try:
        said = named(file, file_format or ("csv" if file == STDIN else None))
    except UnknownFormat as exc:
        raise CommandError(f"{file}: say --format csv or --format ndjson; the name does not") from exc
    return said.format, {"delimiter": said.delimiter}
