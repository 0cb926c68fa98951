"""A request's body as a thread reads it, piece by piece, while it still comes in. Used by api.routes.uploads."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio.from_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from api.errors import BodyTooLarge, InvalidUpload, TooSlow

PIECE_BYTES = 262_144  # a piece costs a change of threads, of about 0.1 ms
POLITE_SECONDS = 5.0
POLITE_BYTES = 256_000_000


class StreamedBody:
    """The bytes of one request, in order, once; iterated in a worker thread of the event loop it came in by."""

    def __init__(self, request: Request, max_bytes: int, idle_seconds: float) -> None:
        self._stream = request.stream()
        self._announced = int(request.headers.get("content-length") or 0)
        self._max_bytes = max_bytes
        self._idle_seconds = idle_seconds
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        while piece := anyio.from_thread.run(self._piece):
            yield piece

    async def _piece(self) -> bytes:
        """About PIECE_BYTES, fewer only at the end, where there are none."""
        if self._announced > self._max_bytes:
            raise BodyTooLarge(f"The body has {self._announced} bytes; at most {self._max_bytes} are taken.")
        piece = bytearray()
        try:
            async with asyncio.timeout(self._idle_seconds):
                async for chunk in self._stream:
                    piece += chunk
                    if len(piece) >= PIECE_BYTES:
                        break
        except TimeoutError as error:
            raise TooSlow(f"Too little came for {self._idle_seconds:g} s; nothing was kept.") from error
        except ClientDisconnect as error:
            raise InvalidUpload("The connection was cut before the body was complete; nothing was kept.") from error
        self._bytes += len(piece)
        if self._bytes > self._max_bytes:
            raise BodyTooLarge(f"The body has more than the {self._max_bytes} bytes that are taken.")
        return bytes(piece)

    async def discard(self) -> None:
        """Read on without use, for a while: a caller who still sends would else lose our answer with the connection."""
        left = POLITE_BYTES
        try:
            async with asyncio.timeout(POLITE_SECONDS):
                async for chunk in self._stream:
                    left -= len(chunk)
                    if left < 0:
                        return
        except (TimeoutError, ClientDisconnect):
            return


@asynccontextmanager
async def streamed(request: Request, max_bytes: int, idle_seconds: float) -> AsyncIterator[StreamedBody]:
    """The request's body; when it is refused before its end, the rest is read and dropped."""
    body = StreamedBody(request, max_bytes, idle_seconds)
    try:
        yield body
    except BaseException:
        await body.discard()
        raise
