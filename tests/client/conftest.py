"""Each test of the client runs twice: with the blocking and with the awaited client."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import pytest

from verdict import AsyncClient, Client

RETRY_SECONDS = 3.0
Kind: TypeAlias = Literal["blocking", "awaited"]
#: Calls a method of a client of `url` by its name; items of an iterator come as a list.
Ask: TypeAlias = Callable[..., Any]


@pytest.fixture(params=["blocking", "awaited"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Return `ask(url, "submit", ["a text"])` for either client."""
    return _ask if request.param == "blocking" else lambda *args, **options: asyncio.run(_await(*args, **options))


def _ask(url: str, method: str, *args: Any, retry_seconds: float = RETRY_SECONDS, **options: Any) -> Any:
    with Client(url, retry_seconds=retry_seconds) as client:
        found = getattr(client, method)(*args, **options)
        return list(found) if inspect.isgenerator(found) else found


async def _await(url: str, method: str, *args: Any, retry_seconds: float = RETRY_SECONDS, **options: Any) -> Any:
    async with AsyncClient(url, retry_seconds=retry_seconds) as client:
        found = getattr(client, method)(*args, **options)
        return [each async for each in found] if inspect.isasyncgen(found) else await found
