"""`verdict submit --local`, which the client's command calls; the model's libraries are imported only then."""

from typing import TYPE_CHECKING, Any

import typer

from verdict_cli.output import CommandError, say

if TYPE_CHECKING:
    from verdict_cli.commands.submit import LocalRequest

INTERRUPTED = 130  # as a shell reports Ctrl-C


def classify_here(request: "LocalRequest") -> None:
    """Classify a file in this process. Exit code 1: no row has a result; 130: interrupted.

    Raises:
        CommandError: the worker's packages are missing, or the file or the model cannot be read.
    """
    try:
        from cli import _local
        from files.layout import WantedColumns
    except ImportError as exc:
        raise CommandError(f"{exc.name} is not installed; --local needs the extra `worker`") from exc
    from verdict.uploads import written
    from verdict_cli.service import errors_of_files

    assert request.output  # noqa: S101  the command has checked it
    # `labels` is for the evaluation, which only a service makes.
    options: dict[str, Any] = {name: value for name, value in written(request.reading).items() if name != "labels"}
    options["charset"] = options.pop("encoding", None)
    wanted, output = WantedColumns(request.format, **options), request.output
    try:
        with errors_of_files():
            counts = _local.classify_file(_local.load_model(request.model), request.file, wanted, output)
    except KeyboardInterrupt:
        say("stopped" if output.is_stdout else f"stopped; {output.path}.part has the rows so far")
        raise typer.Exit(INTERRUPTED) from None
    say(counts.words() + ("" if output.is_stdout else f"; results: {output.path}"))
    if not counts.succeeded:
        raise typer.Exit(1)
