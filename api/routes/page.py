"""The web page at `/`, and the API's documentation at `/docs`: files of `api/web`, and Swagger UI's from its package.

They are read once, for the first who asks. Nothing comes from elsewhere, and the policy says so to the browser: a
review that holds markup could not run anything even if it were inserted as such, which it is not.
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
MEDIA_TYPES = {  # said here, since what the system knows about `.js` differs from machine to machine
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {"Cache-Control": "no-cache"}  # asked for each time, answered with 304 while it is the same

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, tuple[bytes, dict[str, str]]]:
    """Content and headers by name."""
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
    """The page."""
    return _answer(request, "index.html")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The API's documentation, to be tried out."""
    return _answer(request, DOCS)


@router.get("/web/{name}")
async def part(request: Request, name: str) -> Response:
    """A file that the page is made of."""
    if name not in _files():
        raise HTTPException(404)
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    content, headers = _files()[name]
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)
