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
from cli._reading import (
    STDIN,
    DelimiterOption,
    EncodingErrorsOption,
    EncodingOption,
    FormatOption,
    HeaderOption,
    IdOption,
    LabelOption,
    LabelsOption,
    NullWordsOption,
    QuotingOption,
    TextOption,
    format_of,
)
from cli._results import BomOption, ForceOption, KeepFormulasOption, Output, OutputOption, output, pick_up
from cli._service import ModelOption, Warnings, errors_of_files, service
from cli.output import CommandError, JsonOption, UrlOption, say
from verdict import Client, Job
from verdict.uploads import CHUNK_BYTES, Format, Reading, written


def submit(  # noqa: PLR0913, PLR0917  a command's options are its parameters
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSON, NDJSON, .xlsx, .ods or Parquet; `-` is stdin.")
    ],
    out: OutputOption = None,
    file_format: FormatOption = None,
    text_column: TextOption = None,
    id_column: IdOption = None,
    label_column: LabelOption = None,
    labels: LabelsOption = None,
    delimiter: DelimiterOption = None,
    quoting: QuotingOption = None,
    header: HeaderOption = None,
    encoding: EncodingOption = None,
    encoding_errors: EncodingErrorsOption = None,
    null_words: NullWordsOption = None,
    keep_formulas: KeepFormulasOption = False,
    bom: BomOption = False,
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
    wanted = output(out, force=force, keep_formulas=keep_formulas, as_json=json, bom=bom) if out else None
    kind, named = format_of(file, file_format)
    reading: Reading = {
        "text_column": text_column,
        "id_column": id_column,
        "label_column": label_column,
        "labels": labels,
        "delimiter": delimiter or named["delimiter"],
        "quoting": quoting,
        "header": header,
        "encoding": encoding,
        "encoding_errors": encoding_errors,
        "null_words": null_words,
    }
    if local and (json or no_wait):
        raise CommandError("--json and --no-wait go with a service, not with --local")
    if local:
        _submit_here(file, kind, reading, wanted, model)
        return
    upload = Upload(file, kind, reading, model)
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


def _submit_here(file: Path, kind: Format, reading: Reading, wanted: Output | None, model: str | None) -> None:
    if wanted is None or wanted.format != "csv":
        raise CommandError("--local writes CSV to the file that -o names")
    try:
        # Only this needs the model's libraries, which an installation without workers does not have.
        from cli import _local
        from files.layout import WantedColumns
    except ImportError as exc:
        raise CommandError(f"{exc.name} is not installed; pip install 'verdict[worker]' for --local") from exc
    # The rest is for the evaluation, which only a service makes.
    options: dict[str, Any] = {name: value for name, value in written(reading).items() if name != "labels"}
    options["charset"] = options.pop("encoding", None)
    try:
        with errors_of_files():
            tally = _local.classify_file(
                _local.load_model(model), None if file == STDIN else file, WantedColumns(kind, **options), wanted
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

    def __init__(self, file: Path, kind: Format, reading: Reading, model: str | None) -> None:
        self._file = file
        self._format = kind
        self._reading = reading
        self._model = model
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
            return client.submit_file(source, format=self._format, model=self._model, on_sent=count, **self._reading)

    def _piped(self) -> Iterator[bytes]:
        with open(0 if self._file == STDIN else self._file, "rb", buffering=0, closefd=self._file != STDIN) as pipe:
            yield from iter(partial(pipe.read, CHUNK_BYTES), b"")
        self.is_sent = True
