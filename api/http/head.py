"""Answer HEAD wherever there is a GET."""

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware that answers HEAD with the headers of GET. A stream ends before its first byte is made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a HEAD request as GET; pass on any other request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self._app(scope, receive, send)
        stream = CancelScope()

        async def send_headers(message: Message) -> None:
            if message["type"] != "http.response.start":
                return
            scope["method"] = "HEAD"  # the server sends a body after the headers of any other method
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            if not any(name.lower() == b"content-length" for name, _ in message["headers"]):
                stream.cancel()

        scope["method"] = "GET"
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"range"]  # defined for GET only
        try:
            with stream:
                await self._app(scope, receive, send_headers)
        finally:
            scope["method"] = "HEAD"
