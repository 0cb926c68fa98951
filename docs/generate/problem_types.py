"""`reference/problem-types.md`: every `type` of a problem+json answer, from the exception classes that make them."""

from collections.abc import Iterator
from typing import Any

from api.errors import ServiceError
from docs.generate.markdown import code, page, plain, table
from files.errors import FileRefused, TooLarge

INTRODUCTION = """\
Every error is `application/problem+json` (RFC 9457). Decide by `type`: `title` and `detail` are for people and may
change.

| member | meaning |
| --- | --- |
| `type` | `urn:verdict:` and a name of the tables below |
| `title`, `status` | the HTTP status as text and number |
| `detail` | what is wrong with this request, in one or two sentences |
| `instance` | path of the request |
| `request_id` | the same as the header `X-Request-ID`; finds the request in the log |
| `errors` | list of `pointer` and `detail`: a JSON pointer into the body, or `query/name`, `header/name`, `path/name` |

429 and 503 have a `Retry-After` in seconds. Nothing was kept of a refused request."""
# Answers that no exception class of ours stands for.
OTHERS = [
    (404, "not-found", "No such path."),
    (405, "method-not-allowed", "The path exists, the method does not; `Allow` lists the methods."),
    (500, "internal-error", "A defect of the service; the log has a traceback under the `request_id`."),
    (
        503,
        "store-unavailable",
        "PostgreSQL cannot be reached, or does not answer in time; `detail` says which.",
    ),
]
FILES = """\
A file that cannot be read to its end is refused as a whole, with status 413 (`file-too-large`) or 422 (all others).
A fault of one row refuses nothing: see [Error codes of rows](row-errors.md)."""


def problem_types_page() -> str:
    """Return the page: types of requests, then types of files."""
    rows: list[tuple[int, str, str]] = [
        (int(each.status), each.name, str(each.__doc__)) for each in _tree(ServiceError) if "status" in vars(each)
    ]
    named = {name for _, name, _ in rows}
    requests = [_row(*row) for row in sorted([*rows, *(each for each in OTHERS if each[1] not in named)])]
    files = [
        _row(413 if issubclass(each, TooLarge) else 422, each.code, str(each.__doc__)) for each in _tree(FileRefused)
    ]
    head = ["type", "status", "meaning"]
    return page(
        "Problem types", INTRODUCTION, "## Requests", table(head, requests), "## Files", FILES, table(head, files)
    )


def _tree(top: type[Any]) -> Iterator[type[Any]]:
    for each in top.__subclasses__():
        yield each
        yield from _tree(each)


def _row(status: int, name: str, text: str) -> tuple[str, str, str]:
    return code(f"urn:verdict:{name}"), str(status), plain(text.partition("\n\n")[0])
