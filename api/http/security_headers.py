"""Security headers for browsers, which every answer has (api.http.security).

By default an answer may load nothing, cannot be framed, and cannot be read by other sites. The pages have their own
policies.
"""

from collections.abc import Iterable, Iterator

CLOSED = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; {CLOSED}"
#: The style sheet of Swagger UI holds its icons as data URLs.
DOCS_POLICY = PAGE_POLICY.replace("img-src 'self'", "img-src 'self' data:")

HEADERS = {
    "content-security-policy": f"default-src 'none'; {CLOSED}",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
_RAW = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def with_defaults(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the headers of an answer, and those of `HEADERS` that it lacks."""
    given = list(headers)
    yield from given
    names = {name.lower() for name, _ in given}
    yield from (each for each in _RAW if each[0] not in names)
