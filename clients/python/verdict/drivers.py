"""Drivers run the steps of a call: `Driver` blocks, `AsyncDriver` is awaited; `@call` and `@paged` choose one.

All HTTP traffic is here, and all code that exists once for each of the two clients.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import closing
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

import httpx

from verdict.errors import ServiceUnreachable, unreachable
from verdict.steps import Pages, Send, Sleep, Steps

P = ParamSpec("P")
T = TypeVar("T")


class Driver:
    """Runs steps by blocking."""

    _http: httpx.Client
    _where: str  # the address, for messages

    def run(self, steps: Steps[T]) -> T:
        """Run the steps to their end and return the result of the call."""
        outcome = None
        with closing(steps):
            while True:
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                outcome = self._take(step)

    def iterate(self, pages: Pages[T]) -> Iterator[T]:
        """Run the steps and yield the items of the pages between them."""
        outcome = None
        with closing(pages):
            while True:
                try:
                    step = pages.send(outcome)
                except StopIteration:
                    return
                if isinstance(step, list):
                    outcome = None
                    yield from step
                else:
                    outcome = self._take(step)

    def _take(self, step: Send | Sleep) -> httpx.Response | ServiceUnreachable | None:
        if isinstance(step, Sleep):
            time.sleep(step.seconds)
            return None
        try:
            request = _request(self._http, step, step.chunks and step.chunks())
            with closing(self._http.send(request, stream=True)) as response:
                write = step.accept and step.accept(response)
                if not write:
                    response.read()
                    return response
                for chunk in response.iter_raw():
                    write(chunk)
                return response
        except httpx.HTTPError as error:
            return unreachable(error, self._where)


class AsyncDriver:
    """Runs steps by awaiting them; files are read and written in a thread."""

    _http: httpx.AsyncClient
    _where: str  # the address, for messages

    async def run(self, steps: Steps[T]) -> T:
        """Run the steps to their end and return the result of the call."""
        outcome = None
        with closing(steps):
            while True:
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                outcome = await self._take(step)

    async def iterate(self, pages: Pages[T]) -> AsyncIterator[T]:
        """Run the steps and yield the items of the pages between them."""
        outcome = None
        with closing(pages):
            while True:
                try:
                    step = pages.send(outcome)
                except StopIteration:
                    return
                if isinstance(step, list):
                    outcome = None
                    for item in step:
                        yield item
                else:
                    outcome = await self._take(step)

    async def _take(self, step: Send | Sleep) -> httpx.Response | ServiceUnreachable | None:
        if isinstance(step, Sleep):
            await asyncio.sleep(step.seconds)
            return None
        try:
            request = _request(self._http, step, step.chunks and _in_thread(step.chunks()))
            response = await self._http.send(request, stream=True)
            try:
                write = step.accept and step.accept(response)
                if not write:
                    await response.aread()
                    return response
                async for chunk in response.aiter_raw():
                    await asyncio.to_thread(write, chunk)
                return response
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            return unreachable(error, self._where)


def _request(http: httpx.Client | httpx.AsyncClient, step: Send, content: Any) -> httpx.Request:
    return http.build_request(
        step.method,
        step.path,
        params=step.params,
        headers=step.headers,
        json=step.json,
        content=content,
        timeout=step.timeout,
    )


async def _in_thread(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    iterator = iter(chunks)
    while (chunk := await asyncio.to_thread(next, iterator, None)) is not None:
        yield chunk


def _method(written: Callable[..., Any], client: object, take: Callable[[Any], Any]) -> Callable[..., Any]:
    @wraps(written)
    def method(*args: Any, **kwargs: Any) -> Any:
        return take(written(client, *args, **kwargs))

    return method


class call(Generic[P, T]):  # noqa: N801  a decorator
    """A method written once: the client that it is called on runs its steps."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self._steps = steps

    @overload
    def __get__(self, client: None, kind: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Driver, kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncDriver, kind: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Driver | AsyncDriver | None, kind: type) -> Any:
        """Return the method bound to a client."""
        return self._steps if client is None else _method(self._steps, client, client.run)


class paged(Generic[P, T]):  # noqa: N801  a decorator
    """A method written once that yields items."""

    def __init__(self, pages: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self._pages = pages

    @overload
    def __get__(self, client: None, kind: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Driver, kind: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncDriver, kind: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Driver | AsyncDriver | None, kind: type) -> Any:
        """Return the method bound to a client."""
        return self._pages if client is None else _method(self._pages, client, client.iterate)
