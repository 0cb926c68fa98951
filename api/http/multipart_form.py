"""Read the file of a multipart form while the form arrives.

A form is read once, so its fields must come before its file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from api.errors import FieldError, InvalidRequest, InvalidUpload

MAX_FIELD_BYTES = 1_000
MAX_PARTS = 20

# The parser yields a MultipartSegment, then its bytes, then None at its end; the library has no types.
Event = Any


@dataclass(frozen=True, slots=True)
class FilePart:
    """The file of a form: the headers of its part, the fields before it, and its bytes as they arrive."""

    filename: str
    content_type: str
    charset: str | None
    chunks: Iterator[bytes]
    fields: dict[str, str]


def file_part(body: Iterable[bytes], boundary: str) -> FilePart:
    """Read a form up to its file: the first part with a filename, or named `file`.

    Raises:
        InvalidUpload: The body is no form or has no file. While `chunks` is read: the form is cut short, or another
            part follows the file.
        InvalidRequest: A field is longer than MAX_FIELD_BYTES.
    """
    events, fields = _events(body, boundary), dict[str, str]()
    for event in events:
        if isinstance(event, MultipartSegment):
            if event.name == "file" or event.filename is not None:
                media = event.content_type or ""
                return FilePart(event.filename or "", media, event.charset, _file(events), fields)
            fields[event.name or ""] = _value(events, event.name or "")
    raise InvalidUpload("The form has no file: none of its parts has a filename, and none is named `file`.")


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
            raise InvalidUpload(
                "The form has another part after its file; put fields before the file, or in the query."
            )
        if event is not None:
            yield bytes(event)
