"""`submit`: send a file of reviews to a running service and write the results to a file.

`--local` classifies in this process instead; a full installation passes the function for it (cli.main).
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, NamedTuple

import typer

from verdict import Client, Job
from verdict.uploads import CHUNK_BYTES, Format, Reading
from verdict_cli.follow import INTERRUPTED, detach, follow
from verdict_cli.output import CommandError, JsonOption, UrlOption, say
from verdict_cli.progress import transfer
from verdict_cli.reading import (
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
from verdict_cli.results import BomOption, ForceOption, KeepFormulasOption, Output, OutputOption, follow_command, output
from verdict_cli.service import ModelOption, Warnings, service


def submit(  # noqa: PLR0913, PLR0917  a command's options are its parameters
    context: typer.Context,
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
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the id of the job and exit.")] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Classify in this process, without a service; needs a full installation.")
    ] = False,
    force: ForceOption = False,
    model: ModelOption = None,
    url: UrlOption = "http://127.0.0.1:8000",
    json: JsonOption = False,
) -> None:
    """Classify every review of FILE and write the results beside the file's own columns.

    Ctrl-C after the upload leaves the job to the service and prints the command that follows it.

    Exit code 0: done, though single rows may have failed; 1: the job failed as a whole or was cancelled; 2: nothing
    was submitted; 130: interrupted.
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
        raise CommandError("--json and --no-wait need a service; leave out --local")
    if local:
        _classify_here(context.obj, LocalRequest(None if file == STDIN else file, kind, reading, wanted, model))
        return
    upload = Upload(file, kind, reading, model)
    with service(url) as client:
        with ctrl_c_waits(lambda: upload.is_sent) as interrupted:
            job = upload.send(client)
        if interrupted:
            detach(job, wanted, url)
        if no_wait:
            print(Warnings()(job).id)
            say(f"accepted; follow it with: {follow_command(job, wanted, url)}")
        else:
            follow(client, job, wanted, url, as_json=json)


class LocalRequest(NamedTuple):
    """A file to classify in this process; `file` is None for stdin."""

    file: Path | None
    format: Format
    reading: Reading
    output: Output | None
    model: str | None


def _classify_here(classify: Callable[[LocalRequest], None] | None, request: LocalRequest) -> None:
    if request.output is None or request.output.format != "csv":
        raise CommandError("--local writes CSV to the file that -o names")
    if classify is None:
        raise CommandError("--local needs a full installation of Verdict; this is the client alone")
    classify(request)


@contextmanager
def ctrl_c_waits(is_sent: Callable[[], bool]) -> Iterator[list[bool]]:
    """Within the block Ctrl-C stops an unfinished upload; after a finished one it is kept in the yielded list.

    Between the last byte and the answer the job may be stored already, and only the answer has its id.
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
        say("interrupted; nothing was accepted" if not is_sent() else "interrupted; the file may have been accepted")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, before)


class Upload:
    """The upload of a file; `is_sent` once the last byte has been sent."""

    def __init__(self, file: Path, kind: Format, reading: Reading, model: str | None) -> None:
        self._file = file
        self._format = kind
        self._reading = reading
        self._model = model
        self._size = file.stat().st_size if file.is_file() else None
        self.is_sent = False

    def send(self, client: Client) -> Job:
        """Send the file and return its job."""
        with transfer("uploading", self._size) as show:

            def count(sent: int) -> None:
                self.is_sent = sent == self._size
                show(sent)

            # A path can be sent again after a broken connection; a pipe is read once.
            source = self._piped() if self._size is None else self._file
            try:
                return client.submit_file(
                    source, format=self._format, model=self._model, on_sent=count, **self._reading
                )
            except ValueError as exc:  # an empty file
                raise CommandError(f"{self._file}: {exc}") from exc

    def _piped(self) -> Iterator[bytes]:
        with open(0 if self._file == STDIN else self._file, "rb", buffering=0, closefd=self._file != STDIN) as pipe:
            yield from iter(partial(pipe.read, CHUNK_BYTES), b"")
        self.is_sent = True
