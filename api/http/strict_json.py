"""Read a JSON body strictly: bounded, UTF-8, no NaN, no repeated name, not too many values."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.errors import BodyTooLarge, FieldError, InvalidJson, InvalidRequest, UnsupportedMediaType
from api.http.media_types import media_name

# Each value may cost an error: 8 MB of `{}` took 70 s of validation and 170 MB of answer.
MAX_VALUES = 10_000


class StrictRequest(Request):
    """Reads a bounded body, and JSON as RFC 8259 has it: UTF-8, no NaN, no name twice, not too deep."""

    value: Any

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: as soon as more bytes than the limit are announced or have come.
        """
        if not hasattr(self, "_body"):
            limit = self.app.state.service.settings.max_body_bytes
            announced = self.headers.get("content-length", "")
            if announced.isdecimal() and int(announced) > limit:
                raise BodyTooLarge(f"The body has {announced} bytes; at most {limit} are taken.")
            received = bytearray()
            async for chunk in self.stream():
                received += chunk
                if len(received) > limit:
                    raise BodyTooLarge(f"The body has more than the {limit} bytes that are taken.")
            self._body = bytes(received)
        return self._body

    async def json(self) -> Any:
        """The body's value, parsed by `StrictRoute` before."""
        return self.value


def parse_json(body: bytes) -> Any:
    """The body's value.

    Raises:
        InvalidJson: with the place at which the body stops being JSON.
    """
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The body is not UTF-8: {error.reason} at byte {error.start}.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno} (character {error.pos})"
        raise InvalidJson(f"The body is not valid JSON: {error.msg}: {place}.") from error
    except RecursionError as error:
        raise InvalidJson("The body is not valid JSON: nested too deeply.") from error
    except ValueError as error:
        raise InvalidJson(f"The body is not valid JSON: {error}.") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number[:20])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return values


def _check_size(value: Any) -> None:
    """Refuse a body of very many small values before each of them is validated."""
    seen, parts = 1, [value]
    while parts:
        part = parts.pop()
        if isinstance(part, (dict, list)):
            seen += len(part)
            if seen > MAX_VALUES:
                raise InvalidRequest(errors=[FieldError("", f"holds more than {MAX_VALUES} values")])
            parts += part.values() if isinstance(part, dict) else part


class StrictRoute(APIRoute):
    """A route whose body is read by `StrictRequest`, after a look at its media type."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind that look."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        before_parsing = self.before_parsing

        async def strict(request: Request) -> Response:
            request = StrictRequest(request.scope, request.receive)
            if takes_body:
                if media_name(request.headers) != "application/json":
                    raise UnsupportedMediaType
                if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
                    raise UnsupportedMediaType("The body must be sent as it is, without a Content-Encoding.")
                body = await request.body()
                before_parsing(request, body)
                request.value = parse_json(body)
                _check_size(request.value)
            return await handle(request)

        return strict

    def before_parsing(self, request: Request, body: bytes) -> None:
        """A place to refuse a body without the cost of parsing it."""
