"""Results of a job: pages of JSON, or all of them as one stream of NDJSON, CSV or Parquet (api.formats)."""

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
from api.errors import REFUSALS, NotAcceptable, refusals
from api.formats import Formulas, Piece, WantedResults
from api.http.ranges import ahead, asked, cut, index_pages
from api.http.strict_json import StrictRoute
from api.schemas import Page, Result
from api.serialize import or_404, result
from api.state import ApiState, StateDep
from db import jobs, reviews
from db.engine import Engine, transaction
from db.exports import Export
from db.models import ReviewStatus

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute, responses=REFUSALS)

BYTES_VERSION = 2  # of every ETag; count up when the same rows make other bytes than before


class Format(StrEnum):
    """How results are written."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {  # the first one that fits an `Accept` wins
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

After = Annotated[int, Query(ge=-1, le=2**31 - 1, description="`next` of the page before; results behind this index.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Results in a page of JSON; the other formats have no pages.")]
FormatQuery = Annotated[Format | None, Query(alias="format", description="Goes before `Accept`.")]
FormulasQuery = Annotated[
    Formulas,
    Query(description="In CSV, `escape` puts a `'` before a cell that a spreadsheet would run (`= + - @` tab, CR)."),
]
BomQuery = Annotated[
    bool, Query(description="In CSV, begin with a UTF-8 byte order mark: Excel reads accented letters rightly with it.")
]

_STREAMS: dict[str, Any] = {
    "application/x-ndjson": {"schema": {"type": "string", "description": "A `Result` a line."}},
    "text/csv": {
        "schema": {
            "type": "string",
            "description": "Your own columns in their order and with your delimiter (of a job that was no CSV file:"
            " `index,id,text`), then `sentiment,confidence,status,error,model_version`, each of which is called"
            " `verdict_<name>` where you have a column of that name. UTF-8, LF.",
        }
    },
    "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of JSON, or all results as a stream. Of a finished job, a stream has an `ETag` and can"
        " be resumed with `Range` and `If-Range`.",
        "content": _STREAMS,
    },
    206: {"description": "The bytes that `Range` asks for.", "content": _STREAMS},
    304: {"description": "`If-None-Match` names the `ETag`."},
    **refusals(406, 416),
}


@router.get("/jobs/{job_id}/results", response_model=Page[Result], responses=ANSWERS)
async def results(  # noqa: PLR0913, PLR0917  one parameter a parameter
    request: Request,
    job_id: UUID,
    state: StateDep,
    format_: FormatQuery = None,
    status: ReviewStatus | None = None,
    after: After = -1,
    limit: Limit = 100,
    formulas: FormulasQuery = Formulas.ESCAPE,
    bom: BomQuery = False,
) -> Response:
    """Results in the order the reviews were sent, also while the job runs."""
    kind = format_ or acceptable(request.headers.get("accept") or "*/*")
    if kind is Format.JSON:
        return await run_in_threadpool(_page, state, job_id, status, after, limit)
    job = await run_in_threadpool(_job, state, job_id)
    wanted = WantedResults(Export(job_id, job.layout, status), after, formulas, job.finished_at, bom)
    return await _stream(request, state.engine, kind, wanted)


def acceptable(accept: str) -> Format:
    """The format that `Accept` likes best.

    Raises:
        NotAcceptable: it names none of ours.
    """
    liked = [_preference(each) for each in accept.split(",")]
    best = max(MEDIA_TYPES, key=lambda media: _quality(media, liked))  # the first of several
    if not _quality(best, liked):
        raise NotAcceptable
    return MEDIA_TYPES[best]


def _preference(part: str) -> tuple[str, float]:
    media, *parameters = (each.strip().lower() for each in part.split(";"))
    quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    return media, float(quality) if quality.replace(".", "", 1).isdecimal() else 1.0


def _quality(media: str, liked: list[tuple[str, float]]) -> float:
    """Of a media type; the most specific of the ranges that name it counts."""
    ranges = (media, f"{media.partition('/')[0]}/*", "*/*")
    return next((quality for each in ranges for name, quality in liked if name == each), 0.0)


def _page(state: ApiState, job_id: UUID, status: ReviewStatus | None, after: int, limit: int) -> Response:
    with transaction(state.engine) as connection:
        or_404(jobs.get(connection, job_id))
        page = reviews.page(connection, job_id, status=status, after=after, limit=limit)
    # Written here, in a thread, and not by FastAPI in the event loop: 500 results take 15 ms.
    data = [result(row) for row in page]
    written = Page[Result](data=data, next=str(page[-1].index) if len(page) == limit else None).model_dump_json()
    return Response(written, media_type="application/json")


def _job(state: ApiState, job_id: UUID) -> Any:
    with transaction(state.engine) as connection:
        return or_404(jobs.get(connection, job_id))


async def _stream(request: Request, engine: Engine, kind: Format, wanted: WantedResults) -> Response:
    media_type, make = STREAMED[kind]
    headers = {
        "Content-Type": media_type,
        "Content-Disposition": f'attachment; filename="{wanted.export.job_id}.{kind}"',
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept",
    }
    if wanted.finished_at is None:
        headers["Cache-Control"] = "no-store"
        return StreamingResponse(ahead(_contents(make(engine, wanted))), headers=headers)
    etag = _etag(kind, wanted)
    headers |= {"Cache-Control": "no-cache", "ETag": etag, "Accept-Ranges": "bytes"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    asked_range = asked(request, etag)
    if asked_range is None:
        return StreamingResponse(ahead(_contents(make(engine, wanted))), headers=headers)
    size, places = await index_pages(make(engine, wanted), request)
    part = asked_range.of(size)
    headers |= {"Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}", "Content-Length": str(len(part))}
    if place := max((place for place in places if place.offset <= part.start), default=None):
        wanted = replace(wanted, after=place.after, head=False)
        part = range(part.start - place.offset, part.stop - place.offset)
    return StreamingResponse(ahead(cut(make(engine, wanted), part)), 206, headers)


def _contents(pieces: Iterator[Piece]) -> Iterator[bytes]:
    return (piece.content for piece in pieces)


def _etag(kind: Format, wanted: WantedResults) -> str:
    """Names the bytes: a finished job's results change only when it is retried, and then it finishes anew."""
    export = wanted.export
    said = (
        BYTES_VERSION,
        export.job_id,
        wanted.finished_at,
        kind,
        export.status,
        wanted.after,
        wanted.formulas,
        wanted.bom,
    )
    return f'"{hashlib.sha256(repr(said).encode()).hexdigest()[:32]}"'
