"""Let a thread read the body of a request piece by piece while it arrives."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio.from_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from api.errors import BodyTooLarge, InvalidUpload, TooSlow

PIECE_BYTES = 262_144  # each piece costs a switch of threads of about 0.1 ms
DISCARD_SECONDS = 5.0
DISCARD_BYTES = 256_000_000


class StreamedBody:
    """The body of one request; a worker thread of its event loop can iterate over it once."""

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
        """Return about PIECE_BYTES; fewer only at the end, and then none."""
        if self._announced > self._max_bytes:
            raise BodyTooLarge(f"The body has {self._announced} bytes; the limit is {self._max_bytes}.")
        piece = bytearray()
        try:
            async with asyncio.timeout(self._idle_seconds):
                async for chunk in self._stream:
                    piece += chunk
                    if len(piece) >= PIECE_BYTES:
                        break
        except TimeoutError as error:
            raise TooSlow(f"Too few bytes arrived in {self._idle_seconds:g} s; nothing was stored.") from error
        except ClientDisconnect as error:
            raise InvalidUpload("The connection broke before the body was complete; nothing was stored.") from error
        self._bytes += len(piece)
        if self._bytes > self._max_bytes:
            raise BodyTooLarge(f"The body has more bytes than the limit of {self._max_bytes}.")
        return bytes(piece)

    async def discard(self) -> None:
        """Read and drop the rest of the body, within limits: a client that is still sending would miss the answer."""
        left = DISCARD_BYTES
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                async for chunk in self._stream:
                    left -= len(chunk)
                    if left < 0:
                        return
        except (TimeoutError, ClientDisconnect):
            return


@asynccontextmanager
async def streamed(request: Request, max_bytes: int, idle_seconds: float) -> AsyncIterator[StreamedBody]:
    """Give the body of a request. If the block raises, the rest of the body is read and dropped."""
    body = StreamedBody(request, max_bytes, idle_seconds)
    try:
        yield body
    except BaseException:
        await body.discard()
        raise
