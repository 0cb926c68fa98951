"""Every call of the API, written once; `Client` and `AsyncClient` (verdict.client) take the steps.

Where a signature says `Steps[Job]`, a `Client` returns a Job and an `AsyncClient` an awaitable one.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal, TypeAlias, Unpack
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx

from verdict import uploads
from verdict.downloads import Destination, Stream, fetched, part_of
from verdict.drivers import call, paged
from verdict.schemas import Classification, Feedback, Job, Page, Result, Review, read
from verdict.steps import ANSWER_SECONDS, Pages, Send, Steps, answered
from verdict.uploads import Format, Reading, Source

WAIT_SECONDS = 25  # a longer wait is several requests, so that a lost connection shows
PROGRESS_SECONDS = 1
RESULTS_PAGE = 500
UPLOAD = httpx.Timeout(ANSWER_SECONDS, write=60, read=600)  # the answer comes when all rows are stored

Id: TypeAlias = Job | str
ResultsFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]


class Calls:
    """What can be asked of a service. Every method raises a VerdictError, and nothing else over the service's doing."""

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

        When the answer is lost or the service is busy it is sent again under the same `Idempotency-Key`, so that one
        call makes one job; with a key of your own that also holds for two calls.

        Args:
            reviews: Texts, or `Review`s where an id of yours should come back with the result.
            wait: Seconds; the job comes back unfinished when they are over.
            model: One of the service's models, if not its default.
            similar: How many similar labelled reviews each result should carry, at most 20; if not given, 3 in a job
                of one review and none in others.
            metadata: Anything of yours that JSON can say; comes back with the job.
            deadline_seconds: What is not finished by then is dropped.
            idempotency_key: 1 to 255 visible ASCII characters.
        """
        if isinstance(reviews, str):
            raise TypeError("reviews must be a sequence of texts, not one text")
        options = {"model": model, "similar": similar, "metadata": metadata, "deadline_seconds": deadline_seconds}
        body = {"reviews": [_review(each) for each in reviews]} | _given(options)
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
        """Submit a file of reviews as one job, streamed: a file of any size takes little memory.

        Only a file that is given by its path is sent again after a broken connection; a stream is read once.

        Args:
            source: Path, open binary file, or the chunks of one.
            format: `csv` (any table) or `ndjson` (any JSON); else what the name says: .csv .tsv .txt .xlsx .ods
                .parquet .zip .ndjson .jsonl .json, the texts with or without .gz .bz2 .xz .zst.
            model: One of the service's models, if not its default.
            deadline_seconds: What is not finished by then is dropped.
            idempotency_key: As for `submit`.
            on_sent: Told how many bytes have been sent; starts over when the file is sent again.
            reading: How the file is to be read, see `verdict.uploads.Reading`; what is not given is found out.

        Raises:
            UnknownFormat: neither `format` nor a name says what it is.
            OSError: the file cannot be read.
        """
        name, body = uploads.named(source, format), uploads.body(source, on_sent)
        options = {"format": name.format, "delimiter": name.delimiter, "model": model} | uploads.written(reading)
        params = {key: str(value) for key, value in _given(options | {"deadline_seconds": deadline_seconds}).items()}
        headers = {"Content-Type": uploads.PACKED_TYPE if name.is_packed else uploads.MEDIA_TYPES[name.format]}
        headers |= _key(idempotency_key) | ({} if body.size is None else {"Content-Length": str(body.size)})
        send = Send("POST", "/v1/jobs", params, headers, chunks=body.chunks, timeout=UPLOAD)
        budget = self._retry_seconds if body.is_repeatable else 0
        return read(Job, (yield from answered(send, budget)))

    @call
    def job(self, job: Id, *, wait: float = 0) -> Steps[Job]:
        """The job as it is; with `wait`, as it is at its end if that comes within so many seconds."""
        return (yield from self._look(job, wait))

    @call
    def wait(self, job: Id, *, on_progress: Callable[[Job], object] | None = None) -> Steps[Job]:
        """The job once it has ended, however long that takes; `on_progress` sees it about once a second until then."""
        seen = job if isinstance(job, Job) else (yield from self._look(job))
        while True:
            if on_progress:
                on_progress(seen)
            if seen.has_ended:
                return seen
            seen = yield from self._look(seen, PROGRESS_SECONDS if on_progress else WAIT_SECONDS, patient=True)

    @paged
    def results(self, job: Id, *, status: str | None = None) -> Pages[Result]:
        """Each result in the order of the reviews, fetched page by page; also while the job runs.

        Args:
            job: A job or its id; an ended one that carries its results is not asked for them again.
            status: Only those in this state, such as `failed`.
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
    def download(  # noqa: PLR0913  what can be asked of results
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
        """Write a job's results to a file, taking up a broken download where it stopped; also in a later process.

        `<destination>.part` grows and is renamed at the end, so `destination` is never half written. Only the results
        of a job that has ended stay the same: a running one's are fetched from the beginning again.

        Args:
            job: A job or its id.
            destination: Path, or an open binary file that is written as the bytes come.
            format: `csv` has your own columns and ours, `parquet` the same with types, `ndjson` a `Result` a line.
            status: Only those in this state, such as `failed`.
            formulas: Whether CSV cells that a spreadsheet would run get a `'` in front, or are kept as they are.
            bom: Whether CSV begins with a UTF-8 byte order mark, without which Excel misreads accented letters.
            on_received: Told how many bytes have been written.

        Raises:
            DownloadChanged: an open file holds the beginning of results that have changed.
            OSError: the file cannot be written.
        """
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
        """Let a job rest: nothing more of it is begun until it is resumed."""
        return (yield from self._act(job, "pause"))

    @call
    def resume(self, job: Id) -> Steps[Job]:
        """Go on with a paused job."""
        return (yield from self._act(job, "resume"))

    @call
    def cancel(self, job: Id) -> Steps[Job]:
        """Stop a job; what is finished keeps its result."""
        return (yield from self._act(job, "cancel"))

    @call
    def retry(self, job: Id) -> Steps[Job]:
        """Queue a job's failed reviews again."""
        return (yield from self._act(job, "retry"))

    @call
    def delete(self, job: Id) -> Steps[None]:
        """Erase a job, its texts and its results, whatever its state."""
        yield from answered(Send("DELETE", _path(job)), 0)

    @call
    def classify(self, text: str, *, model: str | None = None, similar: int | None = None) -> Steps[Classification]:
        """Classify one text, by the service's default model or by `model`, and wait for it.

        `similar` labelled reviews come with the answer, 3 if not given.
        """
        body = {"review_text": text} | _given({"model": model, "similar": similar})
        send = Send("POST", "/v1/classify", headers=_key(None), json=body, timeout=_timeout(WAIT_SECONDS))
        return read(Classification, (yield from answered(send, self._retry_seconds)))

    @call
    def feedback(self, review_id: str, sentiment: str, *, share: bool = False) -> Steps[Feedback]:
        """Tell the true sentiment of a review that was judged; told again, the last word counts.

        Args:
            review_id: That of a result.
            sentiment: One of the model's labels.
            share: Whether other callers may see the review's text among the similar reviews of theirs, until its job
                is deleted.
        """
        path, body = f"/v1/reviews/{quote(review_id, safe='')}/feedback", {"sentiment": sentiment, "share": share}
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
    return f"/v1/jobs/{quote(job.id if isinstance(job, Job) else job, safe='')}"


def _review(review: str | Review) -> dict[str, str]:
    return {"text": review} if isinstance(review, str) else {"text": review.text} | _given({"id": review.id})


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are not left out."""
    return {name: value for name, value in options.items() if value is not None}


def _key(given: str | None) -> dict[str, str]:
    return {"Idempotency-Key": given or uuid4().hex}


def _timeout(wait: float) -> httpx.Timeout:
    return httpx.Timeout(ANSWER_SECONDS, read=wait + ANSWER_SECONDS)
