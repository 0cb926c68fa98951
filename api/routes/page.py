"""The web page at `/` and the API documentation at `/docs`: the files of `api/web`, and Swagger UI from its package.

The files are read at the first request. The security policy lets a browser load nothing from other hosts and run no
inline script, so markup in a review could not run even if the page inserted it as markup, which it does not.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from api.http.security_headers import DOCS_POLICY, PAGE_POLICY

WEB = Path(__file__).parents[1] / "web"
DOCS = "docs.html"
SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
MEDIA_TYPES = {  # fixed here, since `mimetypes` depends on files of the machine
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {"Cache-Control": "no-cache"}  # browsers ask each time, and get 304 for an unchanged file

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, tuple[bytes, dict[str, str]]]:
    """Return content and headers of each file by name."""
    return {each.name: _read(each) for each in _served()}


def _served() -> Iterator[Traversable]:
    yield from (path for path in WEB.iterdir() if path.suffix in MEDIA_TYPES)
    static = resources.files("fastapi_offline") / "static"
    yield from (static / name for name in SWAGGER)


def _read(file: Traversable) -> tuple[bytes, dict[str, str]]:
    content, policy = file.read_bytes(), DOCS_POLICY if file.name == DOCS else PAGE_POLICY
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    kind = MEDIA_TYPES[Path(file.name).suffix]
    return content, HEADERS | {"Content-Security-Policy": policy, "Content-Type": kind, "ETag": etag}


@router.get("/")
async def page(request: Request) -> Response:
    """Return the web page."""
    return _answer(request, "index.html")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Return the page of the API documentation."""
    return _answer(request, DOCS)


@router.get("/web/{name}")
async def part(request: Request, name: str) -> Response:
    """Return a script, style sheet or picture of the pages."""
    if name not in _files():
        raise HTTPException(404)
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    content, headers = _files()[name]
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)
