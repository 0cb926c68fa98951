"""Uvicorn's HTTP protocol, with answers that HTTP/1.0 clients understand."""

import socket
import struct
from asyncio import Transport
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application


class HttpProtocol(HttpToolsProtocol):
    """Sends an answer of unknown length to an HTTP/1.0 client without chunked encoding, which HTTP/1.0 does not have.

    The end of the connection ends such an answer. If the answer fails, the connection is reset, so that the client can
    tell a part from the whole.
    """

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        if cycle.scope["http_version"] == "1.0":
            app = _without_chunks(app, cycle)
        super()._start_asgi_task(cycle, app)


def _without_chunks(app: Any, cycle: RequestResponseCycle) -> Any:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        has_length = True

        async def send_unframed(message: Any) -> None:
            nonlocal has_length
            if message["type"] == "http.response.start":
                has_length = any(name.lower() == b"content-length" for name, _ in message["headers"])
                cycle.chunked_encoding = None if has_length else False
            elif not has_length:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        try:
            await app(scope, receive, send_unframed)
        except BaseException:
            if cycle.response_started and not cycle.response_complete:
                _reset(cycle.transport)
            raise

    return answer


def _reset(transport: Transport) -> None:
    """Close a connection by RST: without a lingering time the kernel sends no FIN."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
