"""The two clients: the calls of verdict.calls with a driver of verdict.drivers."""

from types import TracebackType
from typing import Self

import httpx

from verdict import arguments
from verdict.calls import Calls
from verdict.connections import route
from verdict.drivers import AsyncDriver, Driver

RETRY_SECONDS = 30.0


class Client(Calls, Driver):
    """A service, called by blocking methods; use it in a `with` block, or `close` it.

    ```python
    with Client() as client:
        job = client.wait(client.submit_file("reviews.csv"))
        client.download(job, "results.csv")
    ```

    Args:
        url: Address of the service; if not given VERDICT_URL, else http://127.0.0.1:8000.
        retry_seconds: Limit of the pauses between retries of one call, added up, while the service is unreachable,
            busy (429) or broken (503). 0: no retry.

    Raises:
        WrongAddress: `url` is not the address of a service.
        WrongEnvironment: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or SSL_CERT_DIR cannot be used.
    """

    def __init__(self, url: str | None = None, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._retry_seconds = arguments.seconds(retry_seconds, "retry_seconds", may_be_infinite=True)
        way = route(url)
        self._where = str(way)
        self._http = httpx.Client(base_url=way.url, transport=httpx.HTTPTransport(verify=way.verify, proxy=way.proxy))

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()


class AsyncClient(Calls, AsyncDriver):
    """A service, called by awaited methods; arguments and errors are those of `Client`.

    ```python
    async with AsyncClient() as client:
        job = await client.submit(["See it twice."], wait=5)
        async for result in client.results(job):
            print(result.sentiment, result.confidence)
    ```
    """

    def __init__(self, url: str | None = None, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._retry_seconds = arguments.seconds(retry_seconds, "retry_seconds", may_be_infinite=True)
        way = route(url)
        self._where = str(way)
        self._http = httpx.AsyncClient(
            base_url=way.url, transport=httpx.AsyncHTTPTransport(verify=way.verify, proxy=way.proxy)
        )

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
