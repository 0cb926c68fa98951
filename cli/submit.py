"""`verdict submit`: a file of reviews goes to a running service, its results come back as a file.

With `--local` the file is classified in this process instead (cli._local), by the same model.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from cli._follow import INTERRUPTED, detach, follow
from cli._progress import transfer
from cli._results import ForceOption, KeepFormulasOption, Output, OutputOption, output, pick_up
from cli._service import ModelOption, Warnings, errors_of_files, service
from cli.output import CommandError, JsonOption, UrlOption, say
from verdict import Client, Job, UnknownFormat
from verdict.uploads import CHUNK_BYTES, Format, named

STDIN = Path("-")


def submit(  # noqa: PLR0913, PLR0917  a command's options are its parameters
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV or NDJSON, also gzipped; `-` is stdin.")],
    out: OutputOption = None,
    file_format: Annotated[
        Format | None, typer.Option("--format", help="If the name does not say; stdin is csv.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the review; found by name if not given.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column with your id.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column with the truth, to measure the answers by.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="What separates cells; found out if not given.")] = None,
    keep_formulas: KeepFormulasOption = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the job's id and leave.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Classify in this process, without a service.")] = False,
    force: ForceOption = False,
    model: ModelOption = None,
    url: UrlOption = "http://127.0.0.1:8000",
    json: JsonOption = False,
) -> None:
    """Classify every review of FILE and write the results beside the file's own columns.

    Ctrl-C after the upload leaves the job to the service and prints the command that picks it up.

    Exit code 0: done, though single rows may have failed; 1: the job failed as a whole or was cancelled; 2: it could
    not be submitted; 130: interrupted.
    """
    wanted = output(out, force=force, keep_formulas=keep_formulas, as_json=json) if out else None
    columns = {"text_column": text_column, "id_column": id_column, "label_column": label_column}
    options = _named(file, file_format, delimiter) | columns
    if local and (json or no_wait):
        raise CommandError("--json and --no-wait go with a service, not with --local")
    if local:
        _submit_here(file, options, wanted, model)
        return
    upload = Upload(file, options | {"model": model})
    with service(url) as client:
        with ctrl_c_waits(lambda: upload.is_sent) as interrupted:
            job = upload.send(client)
        if interrupted:
            detach(job, wanted, url)
        if no_wait:
            print(Warnings()(job).id)
            say(f"accepted; pick it up with: {pick_up(job, wanted, url)}")
        else:
            follow(client, job, wanted, url, as_json=json)


def _named(file: Path, file_format: Format | None, delimiter: str | None) -> dict[str, Any]:
    try:
        said = named(file, file_format or ("csv" if file == STDIN else None))
    except UnknownFormat as exc:
        raise CommandError(f"{file}: say --format csv or --format ndjson; the name does not") from exc
    return {"format": said.format, "delimiter": delimiter or said.delimiter}


def _submit_here(file: Path, options: dict[str, Any], wanted: Output | None, model: str | None) -> None:
    if wanted is None or wanted.format != "csv":
        raise CommandError("--local writes CSV to the file that -o names")
    try:
        # Only this needs the model's libraries, which an installation without workers does not have.
        from cli import _local
        from files.layout import Wanted
    except ImportError as exc:
        raise CommandError(f"{exc.name} is not installed; pip install 'verdict[worker]' for --local") from exc
    try:
        with errors_of_files():
            tally = _local.classify_file(
                _local.load_model(model), None if file == STDIN else file, Wanted(**options), wanted
            )
    except KeyboardInterrupt:
        say("stopped" if wanted.is_stdout else f"stopped; {wanted.path}.part has the rows so far")
        raise typer.Exit(INTERRUPTED) from None
    say(tally.words() + ("" if wanted.is_stdout else f"; results: {wanted.path}"))
    if not tally.succeeded:
        raise typer.Exit(1)


@contextmanager
def ctrl_c_waits(is_sent: Callable[[], bool]) -> Iterator[list[bool]]:
    """Within the block Ctrl-C stops what is still being sent; when all is sent it is kept in the list for later.

    Between the last byte and its answer the job may be stored already, and only the answer has its id.
    """
    pressed: list[bool] = []

    def press(_number: int, _frame: FrameType | None) -> None:
        if not is_sent() or pressed:
            raise KeyboardInterrupt
        pressed.append(True)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    except KeyboardInterrupt:
        say("stopped; nothing was accepted" if not is_sent() else "stopped; the file may have been accepted")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, before)


class Upload:
    """A file on its way to the service; `is_sent` when nothing of it is left to send."""

    def __init__(self, file: Path, options: dict[str, Any]) -> None:
        self._file = file
        self._options = options
        self._size = file.stat().st_size if file.is_file() else None
        self.is_sent = False

    def send(self, client: Client) -> Job:
        """The job that it has become."""
        with transfer("uploading", self._size) as show:

            def count(sent: int) -> None:
                self.is_sent = sent == self._size
                show(sent)

            # A path can be sent again after a broken connection; a pipe is read once.
            source = self._piped() if self._size is None else self._file
            return client.submit_file(source, on_sent=count, **self._options)

    def _piped(self) -> Iterator[bytes]:
        with open(0 if self._file == STDIN else self._file, "rb", buffering=0, closefd=self._file != STDIN) as pipe:
            yield from iter(partial(pipe.read, CHUNK_BYTES), b"")
        self.is_sent = True
