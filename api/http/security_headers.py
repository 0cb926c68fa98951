"""Headers that tell a browser what it may do with an answer; every answer has them (api.http.security).

An answer that is no page may load nothing, be framed by nobody and be read by no other site. A page has a policy of its
own.
"""

from collections.abc import Iterable, Iterator

CLOSED = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; {CLOSED}"
#: Swagger UI's style sheet holds its icons as data URLs.
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
    """Yield the headers of an answer, and those of `HEADERS` that it does not have."""
    given = list(headers)
    yield from given
    names = {name.lower() for name, _ in given}
    yield from (each for each in _RAW if each[0] not in names)
