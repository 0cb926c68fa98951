"""The two clients: the calls of verdict.calls with a driver of verdict.drivers."""

import os
from types import TracebackType
from typing import Self

import httpx

from verdict.calls import Calls
from verdict.drivers import AsyncDriver, Driver
from verdict.errors import WrongAddress

DEFAULT_URL = "http://127.0.0.1:8000"
RETRY_SECONDS = 30.0


class Client(Calls, Driver):
    """A service, asked by blocking calls; use it in a `with` block, or `close` it.

    ```python
    with Client() as client:
        job = client.wait(client.submit_file("reviews.csv"))
        client.download(job, "results.csv")
    ```

    Args:
        url: Address of the service; else what VERDICT_URL says, else http://127.0.0.1:8000.
        retry_seconds: How long, in pauses that add up, a call is repeated while the service is out of reach, busy
            (429) or broken (503). 0: never.

    Raises:
        WrongAddress: `url` is none.
    """

    def __init__(self, url: str | None = None, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._retry_seconds = retry_seconds
        self._http = httpx.Client(base_url=_address(url))

    def __enter__(self) -> Self:
        """Use it until the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()


class AsyncClient(Calls, AsyncDriver):
    """A service, asked by awaited calls; as `Client` in all else.

    ```python
    async with AsyncClient() as client:
        job = await client.submit(["See it twice."], wait=5)
        async for result in client.results(job):
            print(result.sentiment, result.confidence)
    ```
    """

    def __init__(self, url: str | None = None, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._retry_seconds = retry_seconds
        self._http = httpx.AsyncClient(base_url=_address(url))

    async def __aenter__(self) -> Self:
        """Use it until the block ends."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()


def _address(url: str | None) -> httpx.URL:
    given = url or os.environ.get("VERDICT_URL") or DEFAULT_URL
    try:
        address = httpx.URL(given)
    except httpx.InvalidURL as error:
        raise WrongAddress(f"{given!r} is no address of a service: {error}") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise WrongAddress(f"{given!r} is no address; one looks like {DEFAULT_URL}")
    return address
