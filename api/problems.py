"""Answer every error as problem+json (RFC 9457), and describe these answers in OpenAPI."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.errors import (
    CrossSiteRequest,
    FieldError,
    HostNotAllowed,
    InternalError,
    InvalidForwardedPrefix,
    InvalidHost,
    InvalidRequest,
    ServiceError,
)
from api.http.security_headers import HEADERS
from api.schemas import Problem
from db.engine import DatabaseError
from files.errors import FileRefused, TooLarge

MAX_ERRORS = 100  # in one answer
MEDIA_TYPE = "application/problem+json"
STORE_UNAVAILABLE = "store-unavailable"

ErrorType: TypeAlias = type[ServiceError] | type[FileRefused] | type[DatabaseError]

log = structlog.get_logger()


def problem(request: Request, error: Exception) -> Response:
    """Return any error as problem+json. It repeats no input, which may not be encodable."""
    match error:
        case ServiceError():
            return _answer(request, error.status, error.name, str(error), errors=error.errors, headers=error.headers)
        case FileRefused():
            return _answer(request, _file_status(type(error)), error.code, str(error))
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
            return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, STORE_UNAVAILABLE, str(error), headers=headers)
        case _:
            log.error("request_failed", exc_info=error)
            # Starlette sends this answer outside of all middleware, and uvicorn then closes the connection. Without
            # `Connection: close` a client would send its next request into the closing socket.
            headers = HEADERS | {"X-Request-ID": request.scope["request_id"], "Connection": "close"}
            return _answer(request, InternalError.status, InternalError.name, str(InternalError()), headers=headers)


def _file_status(error: type[FileRefused]) -> HTTPStatus:
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if issubclass(error, TooLarge) else InvalidRequest.status


def _invalid(request: Request, error: RequestValidationError) -> Response:
    errors = [
        FieldError(_pointer(each["loc"]), _printable(each["msg"].removeprefix("Value error, ")))
        for each in error.errors()[:MAX_ERRORS]
    ]
    return _answer(request, InvalidRequest.status, InvalidRequest.name, str(InvalidRequest()), errors=errors)


def _allowed(request: Request) -> dict[str, str]:
    # Starlette knows only the methods of the first route with this path, and each route has one method.
    methods = request.app.openapi()["paths"].get(getattr(request.scope.get("route"), "path", ""), {"get": None})
    head = ["HEAD"] if "get" in methods else []
    return {"Allow": ", ".join([*(method.upper() for method in methods), *head])}


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
    return Response(json.dumps(body), status, headers, media_type=MEDIA_TYPE)


class _Documented(NamedTuple):
    status: HTTPStatus
    name: str
    text: str


# By `api.http.security` and `api.http.proxies`, before the route is known.
ALWAYS: tuple[ErrorType, ...] = (InvalidHost, InvalidForwardedPrefix, CrossSiteRequest, HostNotAllowed)
DATABASE: tuple[ErrorType, ...] = (DatabaseError, InternalError)  # of every route that uses PostgreSQL


def refusals(*errors: ErrorType) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can answer with these errors and with those that every route has.

    One entry for each status: the problem types that it can have, and the meaning of each.
    """
    by_status: defaultdict[int, list[_Documented]] = defaultdict(list)
    for error in dict.fromkeys((*ALWAYS, *errors)):
        documented = _documented(error)
        by_status[documented.status].append(documented)
    return {status: _response(by_status[status]) for status in sorted(by_status)}


def _documented(error: ErrorType) -> _Documented:
    text = (error.__doc__ or "").strip().partition("\n")[0]
    if issubclass(error, ServiceError):
        return _Documented(error.status, error.name, text)
    if issubclass(error, FileRefused):
        return _Documented(_file_status(error), error.code, text)
    return _Documented(HTTPStatus.SERVICE_UNAVAILABLE, STORE_UNAVAILABLE, "PostgreSQL cannot be used at the moment.")


def _response(errors: Sequence[_Documented]) -> dict[str, Any]:
    types = {"enum": [f"urn:verdict:{each.name}" for each in errors]}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"type": types}}]}
    description = "\n".join(f"- `{each.name}`: {each.text}" for each in errors)
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def install(app: FastAPI) -> None:
    """Answer every error of the application through `problem`, and add the schema of a problem to its OpenAPI."""
    for error in (ServiceError, FileRefused, RequestValidationError, HTTPException, DatabaseError, Exception):
        app.add_exception_handler(error, problem)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"].setdefault("Problem", Problem.model_json_schema())
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
