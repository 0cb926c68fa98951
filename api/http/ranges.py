"""Serve byte ranges of a download (RFC 9110, section 14). Its bytes must be the same every time it is written.

A range needs its place in the stream and, in most cases, the size of the stream. Both are known only after the stream
was written once, so each pass over a download notes them in a `DownloadIndex` for the requests that follow.
"""

import asyncio
import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.errors import RangeNotSatisfiable
from api.formats import Piece

MOST_INDEXES = 256  # an index of 2,000,000 rows takes 50 kB

Item = TypeVar("Item")

_RANGE = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*", re.IGNORECASE)


class Place(NamedTuple):
    """A place at which a stream can be resumed: byte `offset` is the first one behind row `after`."""

    offset: int
    after: int


@dataclass(frozen=True, slots=True)
class RequestedRange:
    """A range as sent: from byte `first` to byte `last` or the end; without `first`, the last `last` bytes."""

    first: int | None
    last: int | None

    @property
    def is_whole(self) -> bool:
        """Whether it means the whole download of any size."""
        return self.first == 0 and self.last is None

    @property
    def stop(self) -> int | None:
        """The byte behind the range, if that is known without the size of the download."""
        return None if self.first is None or self.last is None else self.last + 1

    def of(self, size: int) -> range:
        """Return the bytes that it means in a download of `size` bytes.

        Raises:
            RangeNotSatisfiable: It means none of them.
        """
        if self.first is None:
            found = range(max(size - (self.last or 0), 0), size)
        else:
            found = range(self.first, size if self.last is None else min(self.last + 1, size))
        if not found:
            raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
        return found


def requested_range(request: Request, etag: str) -> RequestedRange | None:
    """Return the range that a request asks for, or None if it is to get the whole download.

    None also for a malformed range, for several ranges, and for an `If-Range` with another ETag.
    """
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if not found or request.headers.get("if-range", etag) != etag:
        return None
    first, last, suffix = (int(group) if group else None for group in found.groups())
    if first is not None and last is not None and last < first:
        return None
    return RequestedRange(first, last if suffix is None else suffix)


class DownloadIndex:
    """Places at which one download can be resumed, and its size once a pass has reached the end."""

    def __init__(self) -> None:
        self.size: int | None = None
        self.reached = 0  # bytes that are known to exist
        self.lock = asyncio.Lock()  # held by the request that extends the index, so that others wait for it
        self._places: list[Place] = []

    @property
    def last_place(self) -> Place | None:
        """The place nearest to the end."""
        return self._places[-1] if self._places else None

    def note(self, offset: int, after: int | None) -> None:
        """Note that a piece ends at byte `offset`, behind row `after` if the stream can be resumed there."""
        self.reached = max(self.reached, offset)
        if after is not None and (not self._places or offset > self._places[-1].offset):
            self._places.append(Place(offset, after))

    def place_before(self, offset: int) -> Place | None:
        """Return the last place at or before a byte; None for the beginning of the stream."""
        found = bisect_right(self._places, offset, key=lambda place: place.offset)
        return self._places[found - 1] if found else None


class DownloadIndexes:
    """The indexes of the downloads used last, by ETag."""

    def __init__(self) -> None:
        self._indexes: OrderedDict[str, DownloadIndex] = OrderedDict()

    def of(self, etag: str) -> DownloadIndex:
        """Return the index of a download; a new one if it was not used lately."""
        index = self._indexes.setdefault(etag, DownloadIndex())
        self._indexes.move_to_end(etag)
        if len(self._indexes) > MOST_INDEXES:
            self._indexes.popitem(last=False)
        return index


@dataclass(frozen=True, slots=True)
class Download:
    """One download: its index, and a function that writes its pieces from a place, or from the beginning for None."""

    index: DownloadIndex
    write: Callable[[Place | None], Iterator[Piece]]

    async def read_from(self, place: Place | None = None, stop: int | None = None) -> AsyncGenerator[bytes]:
        """Yield the bytes behind a place, in pieces, up to the one that holds byte `stop`; note them in the index."""
        offset = place.offset if place else 0

        def is_enough(piece: Piece) -> bool:
            nonlocal offset
            offset += len(piece.content)
            self.index.note(offset, piece.after)
            return stop is not None and offset >= stop

        async with aclosing(prefetch(self.write(place), is_enough)) as pieces:
            async for piece in pieces:
                yield piece.content
        if stop is None or offset < stop:
            self.index.size = offset

    async def locate(self, requested: RequestedRange, request: Request) -> range:
        """Return the bytes that a range means, after extending the index as far as that needs.

        Raises:
            RangeNotSatisfiable: It means none of the bytes.
        """
        index, stop = self.index, requested.stop
        async with index.lock:
            if index.size is None and (stop is None or index.reached < stop):
                await self._extend(stop, request)
        return requested.of(index.reached if index.size is None else index.size)

    async def _extend(self, stop: int | None, request: Request) -> None:
        """Write the stream on from the last known place to byte `stop` or the end, unless the client disconnects."""
        async with aclosing(self.read_from(self.index.last_place, stop)) as contents:
            async for _ in contents:
                if await request.is_disconnected():
                    return

    async def read(self, part: range) -> AsyncGenerator[bytes]:
        """Yield the bytes of a part, written from the last place before it."""
        place = self.index.place_before(part.start)
        position = place.offset if place else 0
        async with aclosing(self.read_from(place, part.stop)) as contents:
            async for content in contents:
                if found := content[max(part.start - position, 0) : max(part.stop - position, 0)]:
                    yield found
                position += len(content)


async def prefetch(items: Iterator[Item], is_enough: Callable[[Item], bool] = lambda _: False) -> AsyncGenerator[Item]:
    """Yield items that are made in a thread, each while the one before it is being sent; end when one is enough."""
    coming = asyncio.ensure_future(run_in_threadpool(next, items, None))
    try:
        while (item := await coming) is not None:
            if is_enough(item):
                yield item
                return
            coming = asyncio.ensure_future(run_in_threadpool(next, items, None))
            yield item
    finally:
        coming.cancel()
