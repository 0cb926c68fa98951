"""The file in a multipart form, as the form comes in. Used by api.routes.uploads.

A form is read once, so its other fields stand before its file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from api.errors import FieldError, InvalidRequest, InvalidUpload

MAX_FIELD_BYTES = 1_000
MAX_PARTS = 20

# What the parser gives: a MultipartSegment, bytes of it, and None behind its last; the library has no types.
Event = Any


@dataclass(frozen=True, slots=True)
class FilePart:
    """The part named `file`: what its head says, the fields before it, and its bytes as they come."""

    filename: str
    content_type: str
    charset: str | None
    chunks: Iterator[bytes]
    fields: dict[str, str]


def file_part(body: Iterable[bytes], boundary: str) -> FilePart:
    """Read a form up to its file.

    Raises:
        InvalidUpload: it is no form, it has no file, or (while `chunks` are read) it is cut or something follows.
    """
    events, fields = _events(body, boundary), dict[str, str]()
    for event in events:
        if isinstance(event, MultipartSegment):
            if event.name == "file":
                kind = event.content_type or ""
                return FilePart(event.filename or "", kind, event.charset, _file(events), fields)
            fields[event.name or ""] = _value(events, event.name or "")
    raise InvalidUpload("The form has no part named `file`.")


def _events(body: Iterable[bytes], boundary: str) -> Iterator[Event]:
    try:
        with PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser:
            for chunk in body:
                yield from parser.parse(chunk)
    except (MultipartError, ValueError) as error:
        raise InvalidUpload(f"The body is not a complete multipart form: {str(error)[:200]}.") from error


def _value(events: Iterator[Event], name: str) -> str:
    value = bytearray()
    for event in events:
        if event is None:
            break
        value += event
        if len(value) > MAX_FIELD_BYTES:
            raise InvalidRequest(errors=[FieldError(f"form/{name[:40]}", f"is longer than {MAX_FIELD_BYTES} bytes")])
    return value.decode("utf-8", "replace")


def _file(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, MultipartSegment):
            raise InvalidUpload("The form goes on behind its file; put its other fields before, or into the query.")
        if event is not None:
            yield bytes(event)
