"""The results of a job: as pages of JSON, or all of them as one stream of NDJSON, CSV or Parquet (api.formats)."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api import formats
from api.errors import InvalidRequest, NotAcceptable, RangeNotSatisfiable, UnknownJob, WrongState
from api.formats import Formulas, Piece, WantedResults
from api.http.ranges import Download, Place, prefetch, requested_range
from api.http.strict_json import StrictRoute
from api.problems import DATABASE, refusals
from api.schemas import Page, Result
from api.serialize import or_404, result_out
from api.state import ApiState, StateDep
from db import jobs, reviews
from db.engine import Engine, read_only
from db.exports import Export
from db.models import ReviewStatus

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute)

BYTES_VERSION = 2  # part of every ETag; increase it when the same rows give other bytes than before


class Format(StrEnum):
    """Format of the results."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {  # the first one that matches `Accept` wins
    "application/json": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "text/csv": Format.CSV,
    "application/vnd.apache.parquet": Format.PARQUET,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
}
STREAMED: dict[Format, tuple[str, Callable[[Engine, WantedResults], Iterator[Piece]]]] = {
    Format.NDJSON: ("application/x-ndjson", formats.ndjson),
    Format.CSV: ("text/csv; charset=utf-8", formats.csv),
    Format.PARQUET: ("application/vnd.apache.parquet", formats.parquet),
}

After = Annotated[
    int, Query(ge=-1, le=2**31 - 1, description="`next` of the previous page: return results after this index.")
]
Limit = Annotated[int, Query(ge=1, le=500, description="Results in a page of JSON; other formats have no pages.")]
Status = Annotated[ReviewStatus | None, Query(description="Return only results in this state.")]
FormatQuery = Annotated[Format | None, Query(alias="format", description="Format of the results; overrides `Accept`.")]
FormulasQuery = Annotated[
    Formulas,
    Query(
        description="In CSV, `escape` puts a `'` before a cell that a spreadsheet would run as a formula"
        " (`= + - @` tab, CR)."
    ),
]
BomQuery = Annotated[
    bool, Query(description="In CSV, begin with a UTF-8 byte order mark: Excel reads accented letters rightly with it.")
]

_STREAMS: dict[str, Any] = {
    "application/x-ndjson": {"schema": {"type": "string", "description": "One `Result` on each line."}},
    "text/csv": {
        "schema": {
            "type": "string",
            "description": "The columns of your file in their order and with its delimiter (for other jobs"
            " `index,id,text`), then `sentiment,confidence,status,error,model_version`. A column of these is called"
            " `verdict_<name>` if your file has a column of that name. UTF-8, LF.",
        }
    },
    "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of JSON, or all results as a stream. The stream of a finished job has an `ETag` and can"
        " be resumed with `Range` and `If-Range`.",
        "content": _STREAMS,
    },
    206: {
        "description": "The bytes in `Range`. `Content-Range` has `*` for a size that is not known yet.",
        "content": _STREAMS,
    },
    304: {"description": "`If-None-Match` holds the current `ETag`."},
    **refusals(NotAcceptable, RangeNotSatisfiable, UnknownJob, InvalidRequest, WrongState, *DATABASE),
}


@router.get("/jobs/{job_id}/results", response_model=Page[Result], responses=ANSWERS)
async def results(  # noqa: PLR0913, PLR0917  FastAPI passes each as a parameter
    request: Request,
    job_id: UUID,
    state: StateDep,
    format_: FormatQuery = None,
    status: Status = None,
    after: After = -1,
    limit: Limit = 100,
    formulas: FormulasQuery = Formulas.ESCAPE,
    bom: BomQuery = False,
) -> Response:
    """Return results in the order in which the reviews were sent, also while the job is running."""
    chosen = format_ or acceptable(request.headers.get("accept") or "*/*")
    if chosen is Format.JSON:
        return await run_in_threadpool(_page, state, job_id, status, after, limit)
    job = await run_in_threadpool(_job, state, job_id)
    wanted = WantedResults(Export(job_id, job.layout, status), after, formulas, job.finished_at, bom)
    return await _stream(request, state, chosen, wanted)


def acceptable(accept: str) -> Format:
    """Return the format that an `Accept` header prefers.

    Raises:
        NotAcceptable: It accepts none of the formats.
    """
    preferences = [_preference(each) for each in accept.split(",")]
    best = max(MEDIA_TYPES, key=lambda media: _quality(media, preferences))  # the first of equals
    if not _quality(best, preferences):
        raise NotAcceptable
    return MEDIA_TYPES[best]


def _preference(part: str) -> tuple[str, float]:
    media, *parameters = (each.strip().lower() for each in part.split(";"))
    quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    return media, float(quality) if quality.replace(".", "", 1).isdecimal() else 1.0


def _quality(media: str, preferences: list[tuple[str, float]]) -> float:
    """Return the quality of a media type: that of the most specific range which includes it."""
    ranges = (media, f"{media.partition('/')[0]}/*", "*/*")
    return next((quality for each in ranges for name, quality in preferences if name == each), 0.0)


def _page(state: ApiState, job_id: UUID, status: ReviewStatus | None, after: int, limit: int) -> Response:
    with read_only(state.engine) as connection:
        or_404(jobs.get(connection, job_id))
        page = reviews.page(connection, job_id, status=status, after=after, limit=limit)
    # Written in this thread, and not by FastAPI in the event loop: 500 results take 15 ms.
    data = [result_out(row) for row in page]
    written = Page[Result](data=data, next=str(page[-1].index) if len(page) == limit else None).model_dump_json()
    return Response(written, media_type="application/json")


def _job(state: ApiState, job_id: UUID) -> Any:
    with read_only(state.engine) as connection:
        return or_404(jobs.get(connection, job_id))


async def _stream(request: Request, state: ApiState, chosen: Format, wanted: WantedResults) -> Response:
    media_type, write = STREAMED[chosen]
    headers = {
        "Content-Type": media_type,
        "Content-Disposition": f'attachment; filename="{wanted.export.job_id}.{chosen}"',
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept",
    }
    if wanted.finished_at is None:
        headers["Cache-Control"] = "no-store"
        return StreamingResponse(prefetch(piece.content for piece in write(state.engine, wanted)), headers=headers)
    etag = _etag(chosen, wanted)
    headers |= {"Cache-Control": "no-cache", "ETag": etag, "Accept-Ranges": "bytes"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)

    def pieces(place: Place | None) -> Iterator[Piece]:
        rest = wanted if place is None else replace(wanted, after=place.after, with_header=False)
        return write(state.engine, rest)

    download = Download(state.downloads.of(etag), pieces)
    requested = requested_range(request, etag)
    # The size that a 206 needs would cost a pass of its own; a 200 holds the same bytes as a range of all of them.
    if requested is None or (requested.is_whole and download.index.size is None):
        return StreamingResponse(download.read_from(), headers=headers)
    part = await download.locate(requested, request)
    size = "*" if download.index.size is None else download.index.size
    headers |= {"Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}", "Content-Length": str(len(part))}
    return StreamingResponse(download.read(part), 206, headers)


def _etag(chosen: Format, wanted: WantedResults) -> str:
    """Return an id of the bytes: results of a finished job change only by a retry, after which it finishes anew."""
    export = wanted.export
    parts = (
        *(BYTES_VERSION, export.job_id, wanted.finished_at, chosen),
        *(export.status, wanted.after, wanted.formulas, wanted.bom),
    )
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'
