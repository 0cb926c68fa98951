"""Submit a job as a file, as the body of the request or in a multipart form.

A thread reads the body while it arrives, `files` cuts it into rows, and db.uploads copies them into PostgreSQL, in one
transaction and in constant memory. The 202 follows when the whole file is stored; a refused file leaves nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.datastructures import Headers, QueryParams
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.routing import Match
from starlette.types import Scope

from api.errors import FieldError, InvalidRequest, TooManyUploads, UnsupportedMediaType
from api.http.bodies import streamed
from api.http.idempotency import Idempotency, KeyHeader, once
from api.http.media_types import MediaType, media_name, media_type
from api.http.multipart_form import FilePart, file_part
from api.http.prefer import WaitSeconds
from api.http.upload_options import FORM, FORMATS, READER_OPTIONS, UploadOptions
from api.routes.jobs import wait_for_job
from api.schemas import JobOut
from api.state import ApiState, StateDep
from api.submission import accepted, count_submission
from db import uploads
from db.engine import Connection
from db.models import Lane, ModelLane
from db.submissions import CHARS_PER_TOKEN
from db.uploads import NewUpload, Uploaded
from files.errors import NoLabelColumn
from files.labels import parse_told
from files.layout import Layout, Limits, WantedColumns
from files.names import named
from files.reader import read
from monitoring import traces
from monitoring.metrics import RESULTS, SHED


class UploadRoute(APIRoute):
    """`POST /v1/jobs` for files: by their media type, or with `format=`. api.routes.jobs has the route for JSON."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match only files; for other bodies the router goes on to the next route."""
        match, child = super().matches(scope)
        if match is Match.FULL and not (media_name(Headers(scope=scope)) in FORMATS or _has_format(scope)):
            return Match.NONE, {}
        return match, child


def _has_format(scope: Scope) -> bool:
    return "format" in QueryParams(scope["query_string"])


router = APIRouter(prefix="/v1", tags=["jobs"], route_class=UploadRoute)


@router.post("/jobs", status_code=202, include_in_schema=False)  # described with the JSON body in api.routes.jobs
async def upload(  # noqa: PLR0913, PLR0917  FastAPI passes each as a parameter
    request: Request,
    response: Response,
    state: StateDep,
    options: Annotated[UploadOptions, Query()],
    key: KeyHeader,
    wait: WaitSeconds,
) -> JobOut:
    """Submit a file: `202` with `Location` when all of it is stored."""
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"identity", "gzip"}:
        raise UnsupportedMediaType("The only Content-Encoding accepted is gzip.")
    settings, announced = state.settings, int(request.headers.get("content-length") or 0)
    media = media_type(request.headers)
    _refuse_early(state, media, announced, options.model)
    async with streamed(request, settings.max_upload_bytes, settings.upload_idle_seconds) as body:
        source = UploadSource(media, options, body, hashed=key is not None)
        with state.admission.refusing_if_full(announced / CHARS_PER_TOKEN):
            job_id, new = await anyio.to_thread.run_sync(_add, state, source, key, response, limiter=state.uploading)
    request.state.job_id = job_id
    _count(new)
    job = await wait_for_job(state, job_id)
    state.waker.wake(ModelLane(job.model, job.lane))
    return accepted(await wait_for_job(state, job_id, wait) if wait else job, response, wait)


def _refuse_early(state: ApiState, media: MediaType, announced: int, requested: str | None) -> None:
    """Refuse a file before it is read.

    Raises:
        TooManyUploads: The limit of simultaneous uploads is reached.
        Overloaded: The file is too large for the interactive lane, and the bulk lane is full.
    """
    # A field of the form may still name another model.
    model = None if requested is None and media.name == FORM else state.models.cached(requested)
    if state.uploading.borrowed_tokens >= state.uploading.total_tokens:
        SHED.labels(model or "", Lane.BULK, "uploads").inc()
        raise TooManyUploads(headers={"Retry-After": "5"})
    if model and announced > state.settings.interactive_max_reviews * state.settings.max_review_chars:
        state.admission.check(ModelLane(model, Lane.BULK), announced / CHARS_PER_TOKEN)


def _count(new: Uploaded | None) -> None:
    """Count a stored file; None for one that repeated an Idempotency-Key."""
    if new is None:
        count_submission(None, 0, 0)
        return
    count_submission(new.queue, new.rows, new.reviews + sum(new.refused.values()))
    for code, rows in new.refused.items():
        RESULTS.labels(new.queue.lane, "failed", code).inc(rows)


class UploadSource:
    """The file in a request, with its options. Iterating yields its bytes, and hashes them if `hashed`."""

    def __init__(self, media: MediaType, options: UploadOptions, body: Iterable[bytes], *, hashed: bool) -> None:
        self._media, self._body, self._is_hashed = media, body, hashed
        self._chunks: Iterator[bytes] = iter(())
        self._hash = hashlib.sha256()
        self.options = options

    def open(self) -> WantedColumns:
        """Read up to the beginning of the file, and return the settings for its reader.

        Raises:
            InvalidRequest: The format of the file is not known.
            InvalidUpload: The form is malformed or has no file.
        """
        media, filename, charset = self._media.name, "", self._media.charset
        if media == FORM:
            part = file_part(self._body, self._media.boundary)
            media, filename, charset, self._body = part.content_type, part.filename, part.charset, part.chunks
            self.options = _with_fields(self.options, part)
        self._chunks = self._hashed() if self._is_hashed else iter(self._body)
        options = self.options
        by_name = named(filename)
        found = options.format or FORMATS.get(media) or (by_name and by_name.format)
        if found is None:
            detail = "is needed: neither the media type nor a file name tells whether this is csv or ndjson"
            raise InvalidRequest(errors=[FieldError("query/format", detail)])
        delimiter = options.delimiter or (by_name and by_name.delimiter)
        delimiter = delimiter or ("tab" if media == "text/tab-separated-values" else None)
        charset = options.encoding or charset
        return WantedColumns(found, delimiter=delimiter, charset=charset, **options.model_dump(include=READER_OPTIONS))

    def _hashed(self) -> Iterator[bytes]:
        for chunk in self._body:
            self._hash.update(chunk)
            yield chunk

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def digest(self) -> bytes:
        """Return the SHA-256 of the file and its options; reads the file to its end."""
        for _ in self._chunks:
            pass
        head = f"POST /v1/jobs {self.options.model_dump_json()}\n".encode()
        return hashlib.sha256(head + self._hash.digest()).digest()


def _with_fields(options: UploadOptions, part: FilePart) -> UploadOptions:
    try:
        return UploadOptions.model_validate(options.model_dump(exclude_unset=True) | part.fields)
    except ValidationError as error:
        errors: list[Any] = [each | {"loc": ("form", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(errors) from error


def _add(state: ApiState, source: UploadSource, key: str | None, response: Response) -> tuple[UUID, Uploaded | None]:
    """Store the file as a job, in a thread. The header is read before a connection is taken from the pool.

    Returns:
        The job and the stored file; None for the file if the key was used before.
    """
    settings, wanted = state.settings, source.open()
    limits = Limits(settings.max_upload_bytes, settings.max_upload_rows, settings.max_review_chars)
    table = read(source, wanted, limits)
    options, layout = source.options, table.layout
    new = NewUpload(
        deadline=None if options.deadline_seconds is None else timedelta(seconds=options.deadline_seconds),
        layout=_stored_layout(layout) if table.is_table else None,
        labelling=_labelling(layout, options.labels),
        interactive_max_reviews=settings.interactive_max_reviews,
        traceparent=traces.current(),
    )
    added: list[Uploaded] = []

    def add(connection: Connection) -> UUID:
        model = state.models.choose(connection, options.model, "query/model")
        added.append(uploads.add(connection, new, model, table.rows, state.admission.limit))
        return added[0].job_id

    job_id = once(state, Idempotency(key, source.digest) if key else None, response, add)
    return job_id, added[0] if added else None


def _stored_layout(layout: Layout) -> dict[str, Any]:
    return {
        "columns": list(layout.columns),
        "text": layout.text,
        "delimiter": layout.delimiter,
        "encoding": layout.encoding,
        "quoting": layout.quoting,
        "notes": list(layout.notes),
    }


def _labelling(layout: Layout, labels: str | None) -> dict[str, Any] | None:
    """Return the label column and the meanings of its values in `labels`; None without a label column.

    Raises:
        WrongLabels: `labels` is malformed.
        NoLabelColumn: `labels` is given for a file without a label column.
    """
    meanings = None if labels is None else parse_told(labels)
    if layout.label is None:
        if meanings is not None:
            raise NoLabelColumn("labels= is given, but no label column was found; name it with label_column=.")
        return None
    return {"column": layout.columns[layout.label], "told": meanings}
