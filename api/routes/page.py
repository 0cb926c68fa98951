"""The web page at `/` and the API documentation at `/docs`: the files of `api/web`, and Swagger UI from its package.

The files are read at the first request. The security policy lets a browser load nothing from other hosts and run no
inline script, so markup in a review could not run even if the page inserted it as markup, which it does not.
"""

import hashlib
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from api.http.proxies import path_prefix
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
# Browsers ask each time, and get 304 for an unchanged file. The links of a page depend on the proxy.
HEADERS = {"Cache-Control": "no-cache", "Vary": "X-Forwarded-Prefix"}

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, Traversable]:
    """Return the files by name."""
    static = resources.files("fastapi_offline") / "static"
    files = [*WEB.iterdir(), *(static / name for name in SWAGGER)]
    return {file.name: file for file in files if Path(file.name).suffix in MEDIA_TYPES}


@lru_cache(maxsize=64)
def _read(name: str, prefix: str) -> tuple[bytes, dict[str, str]]:
    """Return content and headers of a file, with the links of a page below a path prefix.

    Scripts have no such links: they find the prefix in their own address.
    """
    content, policy = _files()[name].read_bytes(), DOCS_POLICY if name == DOCS else PAGE_POLICY
    content = content.replace(b'="/', f'="{prefix}/'.encode()) if prefix else content
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    media_type = MEDIA_TYPES[Path(name).suffix]
    return content, HEADERS | {"Content-Security-Policy": policy, "Content-Type": media_type, "ETag": etag}


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
    content, headers = _read(name, path_prefix.get() if name.endswith(".html") else "")
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)
