"""Every refusal as problem+json (RFC 9457): one tree, one way out. Routes raise, and never catch.

ServiceError
├── InvalidRequest          422  what was sent is understood and wrong; `errors` point at it
│   └── KeyReused           422  the Idempotency-Key came before with another request
├── InvalidJson             400  the body is not JSON
├── InvalidUpload           400  the body that should hold a file is cut, or no form
├── TooSlow                 408  the body did not come in
├── TooManyUploads          429  as many files as can be are being taken in
├── Overloaded              429  too much waits for the model, or for us
├── BodyTooLarge            413
├── UnsupportedMediaType    415
├── InvalidHost             400  `Host` is missing, malformed or given twice
├── CrossSiteRequest        403  a page of another site sent it
├── HostNotAllowed          421  `Host` is no name of this service
├── UnknownJob              404
├── UnknownReview           404
├── WrongState              409  the job is not in a state for this
├── NotAcceptable           406  none of the formats that `Accept` names is ours
├── RangeNotSatisfiable     416  the bytes asked for lie behind the end
├── NotReady                503  nothing could serve the request just now
├── NotInTime               504  the answer is still being worked on
└── NotJudged               500  the model failed on this very review
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.http.security_headers import HEADERS
from api.schemas import Problem
from db.engine import DatabaseError
from files.errors import FileRefused, TooLarge

MAX_ERRORS = 100  # said in one answer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong: a JSON pointer into the body, or `query/name`, `header/name`, `path/name`."""

    pointer: str
    detail: str


class ServiceError(Exception):
    """The request could not be served."""

    status: ClassVar[HTTPStatus]
    name: ClassVar[str]

    def __init__(
        self, detail: str | None = None, errors: list[FieldError] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail or self.__doc__)
        self.errors = errors or []
        self.headers = headers or {}


class InvalidRequest(ServiceError):
    """The request is not valid; `errors` says where."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    name = "invalid-request"


class KeyReused(InvalidRequest):
    """This Idempotency-Key was used before with another request."""

    name = "idempotency-key-reused"


class InvalidJson(ServiceError):
    """The body is not valid JSON."""

    status = HTTPStatus.BAD_REQUEST
    name = "invalid-json"


class InvalidUpload(ServiceError):
    """The body does not hold a whole file."""

    status = HTTPStatus.BAD_REQUEST
    name = "invalid-upload"


class TooSlow(ServiceError):
    """The body did not come in."""

    status = HTTPStatus.REQUEST_TIMEOUT
    name = "too-slow"


class TooManyUploads(ServiceError):
    """As many files as can be are being taken in; try again shortly."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    name = "too-many-uploads"


class Overloaded(ServiceError):
    """Too much waits; try again when `Retry-After` says."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    name = "overloaded"


class BodyTooLarge(ServiceError):
    """The body is larger than what is taken."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    name = "body-too-large"


class UnsupportedMediaType(ServiceError):
    """The body must be JSON: send `Content-Type: application/json`; a job may also be a CSV or NDJSON file."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    name = "unsupported-media-type"


class InvalidHost(ServiceError):
    """The request must have exactly one `Host` header, and it must hold a host name or an IP address."""

    status = HTTPStatus.BAD_REQUEST
    name = "invalid-host"


class CrossSiteRequest(ServiceError):
    """A page of another site sent this request; in a browser, only pages of this service may call it."""

    status = HTTPStatus.FORBIDDEN
    name = "cross-site-request"


class HostNotAllowed(ServiceError):
    """This service does not answer for the host that the request names."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    name = "host-not-allowed"


class UnknownJob(ServiceError):
    """There is no such job."""

    status = HTTPStatus.NOT_FOUND
    name = "unknown-job"


class UnknownReview(ServiceError):
    """There is no such review."""

    status = HTTPStatus.NOT_FOUND
    name = "unknown-review"


class WrongState(ServiceError):
    """The job is not in a state for this."""

    status = HTTPStatus.CONFLICT
    name = "wrong-state"


class NotAcceptable(ServiceError):
    """None of the formats in `Accept` can be given; `format=` chooses one of json, ndjson, csv and parquet."""

    status = HTTPStatus.NOT_ACCEPTABLE
    name = "not-acceptable"


class RangeNotSatisfiable(ServiceError):
    """The range begins behind the end; `Content-Range` says how many bytes there are."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    name = "range-not-satisfiable"


class NotReady(ServiceError):
    """No live worker serves any model; try again shortly."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    name = "not-ready"


class NoWorker(ServiceError):
    """No live worker serves this model."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    name = "no-worker"


class NotInTime(ServiceError):
    """The answer is still being worked on; the job in `Location` will have it."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    name = "not-in-time"


class NotJudged(ServiceError):
    """The model failed on this review; the job in `Location` says why and can be retried."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    name = "not-judged"


def problem(request: Request, error: Exception) -> Response:
    """Any error as problem+json. The input is never repeated in it: that could not always be encoded."""
    match error:
        case ServiceError():
            return _answer(request, error.status, error.name, str(error), errors=error.errors, headers=error.headers)
        case FileRefused():
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if isinstance(error, TooLarge) else InvalidRequest.status
            return _answer(request, status, error.code, str(error))
        case RequestValidationError():
            return _invalid(request, error)
        case HTTPException():
            status = HTTPStatus(error.status_code)
            name = status.phrase.lower().replace(" ", "-")
            headers = _allowed(request) if status is HTTPStatus.METHOD_NOT_ALLOWED else error.headers
            return _answer(request, status, name, status.description or status.phrase, headers=headers)
        case DatabaseError():
            log.error("store_failed", error=str(error), reason=error.reason)
            headers = {"Retry-After": "1"}
            return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", str(error), headers=headers)
        case _:
            log.error("request_failed", exc_info=error)
            detail = "Something broke on our side."
            # Starlette answers this one outside of us, and uvicorn closes the connection after it: a client that is not
            # told sends its next request into that.
            headers = HEADERS | {"X-Request-ID": request.scope["request_id"], "Connection": "close"}
            return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail, headers=headers)


def _invalid(request: Request, error: RequestValidationError) -> Response:
    errors = [
        FieldError(_pointer(each["loc"]), _printable(each["msg"].removeprefix("Value error, ")))
        for each in error.errors()[:MAX_ERRORS]
    ]
    detail = InvalidRequest.__doc__ or ""
    return _answer(request, InvalidRequest.status, InvalidRequest.name, detail, errors=errors)


def _allowed(request: Request) -> dict[str, str]:
    # Starlette names the methods of the first route with this path, and there is one route a method.
    methods = request.app.openapi()["paths"].get(getattr(request.scope.get("route"), "path", ""), {"get": None})
    return {"Allow": ", ".join(method.upper() for method in methods)}


def _pointer(location: tuple[Any, ...]) -> str:
    first, *rest = (_printable(str(part)).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in rest) if first == "body" else "/".join([first, *rest])


def _printable(message: str) -> str:
    return message.encode("utf-8", "replace").decode()[:300]


def _answer(  # noqa: PLR0913  one argument a member
    request: Request,
    status: HTTPStatus,
    name: str,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = {
        "type": f"urn:verdict:{name}",
        "title": status.phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": request.scope.get("request_id"),
        "errors": [asdict(each) for each in errors],
    }
    return Response(json.dumps(body), status, headers, media_type="application/problem+json")


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says about these; given as content, since FastAPI documents a `model` as application/json."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


ALWAYS = refusals(400, 403, 421)  # by api.http.security, whatever is asked for
REFUSALS = ALWAYS | refusals(404, 405, 409, 413, 415, 422, 500, 503)


def install(app: FastAPI) -> None:
    """Send every error through `problem`."""
    for kind in (ServiceError, FileRefused, RequestValidationError, HTTPException, DatabaseError, Exception):
        app.add_exception_handler(kind, problem)
