"""Write results as they arrive, so that a broken connection costs little.

`<file>.part` grows. `<file>.part.etag` names the results that it is the beginning of, so that this process or a later
one can continue.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

import httpx

from verdict.errors import DownloadChanged, NotVerdict, VerdictError, trouble
from verdict.steps import ANSWER_SECONDS, Patience, Send, Steps

Destination: TypeAlias = str | os.PathLike[str] | BinaryIO
OK, PARTIAL, BEYOND = 200, 206, 416
NO_RESULTS = ("application/json", "text/html")  # an old service that pages its results, or another server
TIMEOUT = httpx.Timeout(ANSWER_SECONDS, read=60)


class Sink(Protocol):
    """A target of a download: `size` bytes are written."""

    size: int

    def headers(self) -> dict[str, str]:
        """Return the headers that request the rest."""
        ...

    def accept(self, response: httpx.Response) -> Callable[[bytes], object]:
        """Return the function that takes the body: the rest, or with status 200 the whole."""
        ...

    def begin_anew(self) -> None:
        """Discard the written bytes."""
        ...


@contextmanager
def part_of(destination: str | os.PathLike[str], source: str) -> Iterator["PartFile"]:
    """Write beside `destination`, which appears complete at the end; `source` identifies the results."""
    target = Path(destination)
    part, mark = (target.with_name(target.name + ending) for ending in (".part", ".part.etag"))
    try:
        with part.open("ab", buffering=0) as file:
            yield PartFile(file, mark, source)
            os.fsync(file.fileno())
        part.replace(target)
        mark.unlink(missing_ok=True)
    finally:
        if part.exists() and not part.stat().st_size:  # nothing that a later download could continue
            part.unlink()
            mark.unlink(missing_ok=True)


def fetched(
    sink: Sink, path: str, params: Mapping[str, str], budget: float, on_received: Callable[[int], object]
) -> Steps[None]:
    """Send until `sink` has all bytes; every byte of progress renews the budget for retries."""

    def accept(response: httpx.Response) -> Callable[[bytes], object] | None:
        if response.status_code not in {OK, PARTIAL}:
            return None
        is_rest = response.status_code == OK or _begins_at(sink.size, response)
        if not is_rest or response.headers.get("content-type", "").startswith(NO_RESULTS):
            raise NotVerdict(response)
        write = sink.accept(response)
        return lambda chunk: (write(chunk), on_received(sink.size))

    patience, furthest = Patience(budget), sink.size
    while True:
        # A compressed body has other offsets than the results, so a range could not be resumed.
        headers = {"Accept-Encoding": "identity"} | sink.headers()
        outcome: httpx.Response | VerdictError = yield Send(
            "GET", path, params, headers, accept=accept, timeout=TIMEOUT
        )
        if isinstance(outcome, httpx.Response) and outcome.status_code == BEYOND and sink.size:
            if outcome.headers.get("content-range") == f"bytes */{sink.size}":
                return  # an earlier process received everything and ended before the rename
            sink.begin_anew()
            continue
        if isinstance(outcome, httpx.Response) and outcome.status_code in {OK, PARTIAL}:
            return
        if sink.size > furthest:
            patience.renew()
            furthest = sink.size
        error = outcome if isinstance(outcome, VerdictError) else trouble(outcome) or NotVerdict(outcome)
        yield patience.pause_after(error)


class Stream:
    """An open file that cannot be rewound, such as stdout; only this object knows how much is written."""

    def __init__(self, file: BinaryIO) -> None:
        self.size = 0
        self._file = file
        self._etag = ""

    def headers(self) -> dict[str, str]:
        """Return the headers that request the rest."""
        return _resume(self.size, self._etag)

    def accept(self, response: httpx.Response) -> Callable[[bytes], object]:
        """Return the function that takes the body. Raises DownloadChanged if the body is not the rest."""
        if self.size and response.status_code == OK:
            self.begin_anew()
        self._etag = response.headers.get("etag", "")
        return self._write

    def begin_anew(self) -> None:
        """Raise DownloadChanged: a stream cannot be rewound."""
        raise DownloadChanged("the results have changed since the download began; the written part is incomplete")

    def _write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self.size += len(chunk)


class PartFile:
    """A file that a later process can continue."""

    def __init__(self, file: BinaryIO, mark: Path, source: str) -> None:
        self._file, self._mark, self._source = file, mark, source
        self._etag = self._marked()
        self.size = os.fstat(file.fileno()).st_size
        if not self._etag:
            self.begin_anew()

    def headers(self) -> dict[str, str]:
        """Return the headers that request the rest."""
        return _resume(self.size, self._etag)

    def accept(self, response: httpx.Response) -> Callable[[bytes], object]:
        """Return the function that takes the body: the rest, or with status 200 the whole."""
        if response.status_code == OK:
            self.begin_anew()
            self._etag = response.headers.get("etag", "")
            self._mark.write_text(f"{self._etag}\n{self._source}", encoding="utf-8")
        return self._write

    def begin_anew(self) -> None:
        """Discard the written bytes."""
        self._file.truncate(0)  # before the mark is replaced: an old mark beside an empty file is harmless
        self.size = 0

    def _marked(self) -> str:
        try:
            etag, _, source = self._mark.read_text(encoding="utf-8").partition("\n")
        except (OSError, ValueError):
            return ""
        return etag if source == self._source else ""

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:  # an unbuffered file may take less than all
            rest = rest[self._file.write(rest) :]
        self.size += len(chunk)


def _resume(size: int, etag: str) -> dict[str, str]:
    # A weak ETag does not promise equal bytes, and If-Range forbids one (RFC 9110, 13.1.5).
    return {"Range": f"bytes={size}-", "If-Range": etag} if size and etag.startswith('"') else {}


def _begins_at(place: int, response: httpx.Response) -> bool:
    return bool(response.headers.get("content-range", "").startswith(f"bytes {place}-"))
