"""What a Content-Type says. Used by api.requests and api.uploads."""

from dataclasses import dataclass
from email.message import Message

from fastapi.datastructures import Headers


@dataclass(frozen=True, slots=True)
class MediaType:
    """`name` is lower case and empty if none is given."""

    name: str
    charset: str | None
    boundary: str


def media_type(headers: Headers) -> MediaType:
    """The media type of a request's body, parsed as the standard library parses it."""
    message = Message()
    message["content-type"] = headers.get("content-type", "")
    given = headers.get("content-type", "").strip()
    return MediaType(
        name=message.get_content_type() if given else "",
        charset=message.get_content_charset(),
        boundary=str(message.get_param("boundary", "")),
    )
