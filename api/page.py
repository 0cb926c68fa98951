"""The web page at `/`: a few files of `api/web`, written by hand, that call the API like any other client.

They are read once, for the first who asks. Nothing comes from elsewhere, and the policy says so to the browser: a
review that holds markup could not run anything even if it were inserted as such, which it is not.
"""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

WEB = Path(__file__).parent / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MEDIA_TYPES = {  # said here, since what the system knows about `.js` differs from machine to machine
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # asked for each time, answered with 304 while it is the same
}

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, tuple[bytes, dict[str, str]]]:
    """Content and headers by name."""
    return {path.name: _read(path) for path in WEB.iterdir() if path.suffix in MEDIA_TYPES}


def _read(path: Path) -> tuple[bytes, dict[str, str]]:
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return content, HEADERS | {"Content-Type": MEDIA_TYPES[path.suffix], "ETag": etag}


@router.get("/")
async def page(request: Request) -> Response:
    """The page."""
    return _answer(request, "index.html")


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
