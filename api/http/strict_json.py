"""Read JSON bodies strictly: limited size, UTF-8, no NaN, no repeated names, a limited number of values."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.errors import BodyTooLarge, FieldError, InvalidJson, InvalidRequest, UnsupportedMediaType
from api.http.media_types import media_name
from api.state import state_of

# Each value can cause an error: 8 MB of `{}` took 70 s to validate and made an answer of 170 MB.
MAX_VALUES = 10_000


class StrictRequest(Request):
    """A request that reads a body up to MAX_BODY_BYTES, and returns the JSON value that `StrictRoute` has parsed."""

    value: Any

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLarge: More bytes than the limit were announced or have arrived.
        """
        if not hasattr(self, "_body"):
            limit = state_of(self.app).settings.max_body_bytes
            announced = self.headers.get("content-length", "")
            if announced.isdecimal() and int(announced) > limit:
                raise BodyTooLarge(f"The body has {announced} bytes; the limit is {limit}.")
            received = bytearray()
            async for chunk in self.stream():
                received += chunk
                if len(received) > limit:
                    raise BodyTooLarge(f"The body has more bytes than the limit of {limit}.")
            self._body = bytes(received)
        return self._body

    async def json(self) -> Any:
        """Return the value of the body."""
        return self.value


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON body (RFC 8259).

    Raises:
        InvalidJson: The body is not JSON; the message holds the place.
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
        raise ValueError("an object holds the same name twice")
    return values


def _check_size(value: Any) -> None:
    """Refuse a body with too many values before each of them is validated."""
    seen, parts = 1, [value]
    while parts:
        part = parts.pop()
        if isinstance(part, (dict, list)):
            seen += len(part)
            if seen > MAX_VALUES:
                raise InvalidRequest(errors=[FieldError("", f"holds more than {MAX_VALUES} values")])
            parts += part.values() if isinstance(part, dict) else part


class StrictRoute(APIRoute):
    """A route that accepts only JSON bodies, and reads them by `StrictRequest` and `parse_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the checks of the body."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        before_parsing = self.before_parsing

        async def strict(request: Request) -> Response:
            request = StrictRequest(request.scope, request.receive)
            if takes_body:
                if media_name(request.headers) != "application/json":
                    raise UnsupportedMediaType
                if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
                    raise UnsupportedMediaType("A JSON body must be sent without a Content-Encoding.")
                body = await request.body()
                before_parsing(request, body)
                request.value = parse_json(body)
                _check_size(request.value)
            return await handle(request)

        return strict

    def before_parsing(self, request: Request, body: bytes) -> None:
        """Refuse a body before it is parsed; subclasses override this."""
