"""Parts of a download (RFC 9110, 14): what `Range` asks for, cut out of a stream whose bytes are always the same."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.errors import RangeNotSatisfiable
from api.formats import Piece

Item = TypeVar("Item")

_ASKED = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*", re.IGNORECASE)


class Place(NamedTuple):
    """A stream's byte at `offset` is the first one behind the row `after`."""

    offset: int
    after: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A range as it was sent: from `first` to `last` or to the end; without `first`, the `last` so many bytes."""

    first: int | None
    last: int | None

    def of(self, size: int) -> range:
        """The bytes that it means in so many.

        Raises:
            RangeNotSatisfiable: it means none of them.
        """
        if self.first is None:
            found = range(max(size - (self.last or 0), 0), size)
        else:
            found = range(self.first, size if self.last is None else min(self.last + 1, size))
        if not found:
            raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
        return found


def asked(request: Request, etag: str) -> Asked | None:
    """The one range of a request; None when the whole is to be sent.

    That is so for what we do not understand, for several ranges, and for an `If-Range` that means other bytes.
    """
    found = _ASKED.fullmatch(request.headers.get("range", ""))
    if not found or request.headers.get("if-range", etag) != etag:
        return None
    first, last, suffix = (int(group) if group else None for group in found.groups())
    if first is not None and last is not None and last < first:
        return None
    return Asked(first, last if suffix is None else suffix)


def cut(pieces: Iterator[Piece], part: range) -> Iterator[bytes]:
    """The part of a stream; before it the chunks are empty, so that who iterates can stop there too."""
    position = 0
    for content, _ in pieces:
        yield content[max(part.start - position, 0) : max(part.stop - position, 0)]
        position += len(content)
        if position >= part.stop:
            return


async def index_pages(pieces: Iterator[Piece], request: Request) -> tuple[int, list[Place]]:
    """Bytes of a stream, and where it can be taken up; it is not read to its end when whoever asked has gone."""
    size, places = 0, []
    async for content, after in ahead(pieces):
        size += len(content)
        if after is not None:
            places.append(Place(size, after))
        if await request.is_disconnected():
            break
    return size, places


async def ahead(items: Iterator[Item]) -> AsyncIterator[Item]:
    """Items, each made in a thread while the one before it is sent."""
    coming = asyncio.ensure_future(run_in_threadpool(next, items, None))
    try:
        while (item := await coming) is not None:
            coming = asyncio.ensure_future(run_in_threadpool(next, items, None))
            yield item
    finally:
        coming.cancel()
