"""Every call of the API, written once; `Client` and `AsyncClient` (verdict.client) run the steps.

Where a signature says `Steps[Job]`, a `Client` returns a Job and an `AsyncClient` an awaitable one.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal, TypeAlias, Unpack
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx

from verdict import arguments, uploads
from verdict.downloads import Destination, Stream, fetched, part_of
from verdict.drivers import call, paged
from verdict.schemas import Classification, Feedback, Job, Page, Result, Review, read
from verdict.steps import ANSWER_SECONDS, Pages, Send, Steps, answered
from verdict.uploads import Format, Reading, Source

WAIT_SECONDS = 25  # a longer wait is several requests, so that a lost connection is noticed
PROGRESS_SECONDS = 1
RESULTS_PAGE = 500
UPLOAD = httpx.Timeout(ANSWER_SECONDS, write=60, read=600)  # the answer comes after all rows are stored

Id: TypeAlias = Job | str
ResultsFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]


class Calls:
    """The calls of a service.

    Every method raises TypeError or ValueError for a wrong argument, and a VerdictError for every failure of the
    service or of the connection.
    """

    _retry_seconds: float

    @call
    def submit(  # noqa: PLR0913  the fields of a job
        self,
        reviews: Sequence[str | Review],
        *,
        wait: float = 0,
        model: str | None = None,
        similar: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        deadline_seconds: float | None = None,
        idempotency_key: str | None = None,
    ) -> Steps[Job]:
        """Submit reviews as one job, and wait up to `wait` seconds for its end.

        If the answer is lost or the service is busy, the request is sent again under the same `Idempotency-Key`, so
        that one call makes one job; with a key of your own this also holds for two calls.

        Args:
            reviews: Texts, or `Review`s whose id comes back with the result.
            wait: Seconds; after them the job is returned unfinished.
            model: A model of the service in place of its default.
            similar: Number of similar labelled reviews with each result, at most 20; by default 3 for a job of one
                review and none for others.
            metadata: Any JSON object; comes back with the job.
            deadline_seconds: After this time the unfinished reviews are dropped.
            idempotency_key: 1 to 255 visible ASCII characters.
        """
        options = {
            "model": _if_given(model, arguments.text, "model"),
            "similar": _if_given(similar, arguments.count, "similar"),
            "metadata": None if metadata is None else arguments.metadata(metadata),
            "deadline_seconds": _if_given(deadline_seconds, arguments.seconds, "deadline_seconds"),
        }
        wait = arguments.seconds(wait, "wait")
        body = {"reviews": arguments.texts(reviews)} | _given(options)
        headers = _key(idempotency_key) | ({"Prefer": f"wait={wait:g}"} if wait else {})
        send = Send("POST", "/v1/jobs", headers=headers, json=body, timeout=_timeout(wait))
        return read(Job, (yield from answered(send, self._retry_seconds)))

    @call
    def submit_file(  # noqa: PLR0913  how a file can be read
        self,
        source: Source,
        *,
        format: Format | None = None,  # noqa: A002  its name in the API
        model: str | None = None,
        deadline_seconds: float | None = None,
        idempotency_key: str | None = None,
        on_sent: Callable[[int], object] | None = None,
        **reading: Unpack[Reading],
    ) -> Steps[Job]:
        """Submit a file of reviews as one job. The file is streamed: its size does not matter for memory.

        After a broken connection only a file given by its path is sent again; a stream is read once.

        Args:
            source: Path, open binary file, or the chunks of one.
            format: `csv` (any table) or `ndjson` (any JSON); by default the suffix decides: .csv .tsv .txt .xlsx .ods
                .parquet .zip .ndjson .jsonl .json, text formats with or without .gz .bz2 .xz .zst.
            model: A model of the service in place of its default.
            deadline_seconds: After this time the unfinished reviews are dropped.
            idempotency_key: As for `submit`.
            on_sent: Receives the number of bytes sent so far; starts over when the file is sent again.
            reading: Options of `verdict.uploads.Reading`; the service detects all others.

        Raises:
            UnknownFormat: neither `format` nor the name tells the format.
            OSError: the file cannot be read.
        """
        arguments.source(source)
        name, body = uploads.named(source, format), uploads.body(source, on_sent)
        model = _if_given(model, arguments.text, "model")
        options = {"format": name.format, "delimiter": name.delimiter, "model": model} | uploads.written(reading)
        options["deadline_seconds"] = _if_given(deadline_seconds, arguments.seconds, "deadline_seconds")
        params = {key: str(value) for key, value in _given(options).items()}
        headers = {"Content-Type": uploads.PACKED_TYPE if name.is_packed else uploads.MEDIA_TYPES[name.format]}
        headers |= _key(idempotency_key) | ({} if body.size is None else {"Content-Length": str(body.size)})
        send = Send(
            "POST", "/v1/jobs", params, headers, chunks=lambda: uploads.not_empty(body.chunks()), timeout=UPLOAD
        )
        budget = self._retry_seconds if body.is_repeatable else 0
        return read(Job, (yield from answered(send, budget)))

    @call
    def job(self, job: Id, *, wait: float = 0) -> Steps[Job]:
        """Return the present state of a job; with `wait`, wait up to that many seconds for its end."""
        return (yield from self._look(job, arguments.seconds(wait, "wait")))

    @call
    def wait(self, job: Id, *, on_progress: Callable[[Job], object] | None = None) -> Steps[Job]:
        """Wait for the end of a job, however long it takes; `on_progress` receives its state about once a second."""
        seen = job if isinstance(job, Job) else (yield from self._look(job))
        while True:
            if on_progress:
                on_progress(seen)
            if seen.has_ended:
                return seen
            seen = yield from self._look(seen, PROGRESS_SECONDS if on_progress else WAIT_SECONDS, patient=True)

    @paged
    def results(self, job: Id, *, status: str | None = None) -> Pages[Result]:
        """Yield the results in the order of the reviews, page by page; also while the job runs.

        Args:
            job: A job or its id. An ended job that carries its results causes no request.
            status: Only results in this state, such as `failed`.
        """
        if isinstance(job, Job) and job.has_ended and job.results is not None:
            yield [result for result in job.results if status in {None, result.status}]
            return
        after: str | None = "-1"
        while after is not None:
            params = {"limit": str(RESULTS_PAGE), "after": after} | _given({"status": status})
            send = Send("GET", f"{_path(job)}/results", params)
            page = read(Page, (yield from answered(send, self._retry_seconds)))
            yield page.data
            after = page.next

    @call
    def download(  # noqa: PLR0913  the options of results
        self,
        job: Id,
        destination: Destination,
        *,
        format: ResultsFormat = "csv",  # noqa: A002  its name in the API
        status: str | None = None,
        formulas: Literal["escape", "keep"] = "escape",
        bom: bool = False,
        on_received: Callable[[int], object] | None = None,
    ) -> Steps[None]:
        """Write the results of a job to a file; a broken download resumes where it stopped, also in a later process.

        `<destination>.part` grows and is renamed at the end, so `destination` is never half written. Only the results
        of an ended job are final: those of a running job are downloaded from the beginning again.

        Args:
            job: A job or its id.
            destination: Path, or an open binary file.
            format: `csv` has your own columns and ours, `parquet` the same with types, `ndjson` one `Result` a line.
            status: Only results in this state, such as `failed`.
            formulas: `escape` puts a `'` before CSV cells that a spreadsheet would run as a formula, `keep` does not.
            bom: Whether CSV begins with a UTF-8 byte order mark, without which Excel misreads accented letters.
            on_received: Receives the number of bytes written so far.

        Raises:
            DownloadChanged: the results have changed since an open file received their beginning.
            OSError: the file cannot be written.
        """
        arguments.destination(destination)
        params = {"format": format, "formulas": formulas} | _given({"status": status, "bom": "true" if bom else None})
        path = f"{_path(job)}/results"
        if isinstance(destination, (str, os.PathLike)):
            opened: Any = part_of(destination, f"{path}?{urlencode(params)}")
        else:
            opened = nullcontext(Stream(destination))
        with opened as sink:
            yield from fetched(sink, path, params, self._retry_seconds, on_received or (lambda _: None))

    @call
    def pause(self, job: Id) -> Steps[Job]:
        """Pause a job: no further review of it starts until it is resumed."""
        return (yield from self._act(job, "pause"))

    @call
    def resume(self, job: Id) -> Steps[Job]:
        """Resume a paused job."""
        return (yield from self._act(job, "resume"))

    @call
    def cancel(self, job: Id) -> Steps[Job]:
        """Cancel a job; finished reviews keep their results."""
        return (yield from self._act(job, "cancel"))

    @call
    def retry(self, job: Id) -> Steps[Job]:
        """Queue the failed reviews of a job again."""
        return (yield from self._act(job, "retry"))

    @call
    def delete(self, job: Id) -> Steps[None]:
        """Delete a job in any state, with its texts and results."""
        yield from answered(Send("DELETE", _path(job)), 0)

    @call
    def classify(self, text: str, *, model: str | None = None, similar: int | None = None) -> Steps[Classification]:
        """Classify one text with the default model of the service or with `model`, and wait for the result.

        The answer carries `similar` labelled reviews, 3 by default.
        """
        options = {
            "model": _if_given(model, arguments.text, "model"),
            "similar": _if_given(similar, arguments.count, "similar"),
        }
        body = {"review_text": arguments.text(text, "text")} | _given(options)
        send = Send("POST", "/v1/classify", headers=_key(None), json=body, timeout=_timeout(WAIT_SECONDS))
        return read(Classification, (yield from answered(send, self._retry_seconds)))

    @call
    def feedback(self, review_id: str, sentiment: str, *, share: bool = False) -> Steps[Feedback]:
        """Record the correct sentiment of a classified review; the latest call wins.

        Args:
            review_id: The `review_id` of a result.
            sentiment: A label of the model.
            share: True shows the text to other callers among their similar reviews, until its job is deleted.
        """
        path = f"/v1/reviews/{quote(arguments.text(review_id, 'review_id'), safe='')}/feedback"
        body = {"sentiment": arguments.text(sentiment, "sentiment"), "share": share}
        send = Send("POST", path, headers=_key(None), json=body)
        return read(Feedback, (yield from answered(send, self._retry_seconds)))

    def _look(self, job: Id, wait: float = 0, *, patient: bool = False) -> Steps[Job]:
        params = {"wait": f"{wait:g}"} if wait else {}
        send = Send("GET", _path(job), params, timeout=_timeout(wait))
        return read(Job, (yield from answered(send, self._retry_seconds, patient=patient)))

    def _act(self, job: Id, verb: str) -> Steps[Job]:
        send = Send("POST", f"{_path(job)}/{verb}", headers=_key(None))
        return read(Job, (yield from answered(send, self._retry_seconds)))


def _path(job: Id) -> str:
    return f"/v1/jobs/{quote(arguments.job_id(job), safe='')}"


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def _key(given: str | None) -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex if given is None else arguments.key(given)}


def _if_given(value: object, check: Callable[[object, str], Any], name: str) -> Any:
    return None if value is None else check(value, name)


def _timeout(wait: float) -> httpx.Timeout:
    return httpx.Timeout(ANSWER_SECONDS, read=wait + ANSWER_SECONDS)
