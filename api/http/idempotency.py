"""Idempotency keys: a POST that is repeated with its key takes effect once."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Response

from api.errors import FieldError, InvalidRequest, KeyReused
from api.state import ApiState
from db import idempotency
from db.engine import Connection, transaction

KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key of a request, and a function that returns the request's SHA-256 once the body has been read."""

    key: str
    digest: Callable[[], bytes]


async def key_header(  # async like all dependencies: FastAPI runs a plain function in a thread
    idempotency_key: Annotated[
        str | None,
        Header(description="Your id for this request: repeated with the same key within a day, it takes effect once."),
    ] = None,
) -> str | None:
    """Return the key of the request, if it has one.

    Raises:
        InvalidRequest: The key is not 1 to 255 visible ASCII characters.
    """
    if idempotency_key is not None and not KEY_PATTERN.fullmatch(idempotency_key):
        raise InvalidRequest(errors=[FieldError("header/idempotency-key", "must be 1 to 255 visible ASCII characters")])
    return idempotency_key


KeyHeader = Annotated[str | None, Depends(key_header)]


async def read_key(request: Request, key: KeyHeader) -> Idempotency | None:
    """Return the key of a request with a small body, if it has one."""
    if key is None:
        return None
    # Without the path prefix: a repeat through another proxy is the same request.
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    head = f"{request.method} {path}\n".encode()
    digest = hashlib.sha256(head + await request.body()).digest()
    return Idempotency(key, lambda: digest)


OptionalKey = Annotated[Idempotency | None, Depends(read_key)]


def once(state: ApiState, key: Idempotency | None, response: Response, act: Callable[[Connection], UUID]) -> UUID:
    """Run `act` in one transaction and return the id of its job; for a repeated key, return the job of the first time.

    Raises:
        KeyReused: The key belongs to a different request.
    """
    with transaction(state.engine) as connection:
        earlier = idempotency.find(connection, key.key) if key else None
        if key and earlier:
            if earlier.request_sha256 != key.digest():
                raise KeyReused
            response.headers["Idempotent-Replayed"] = "true"
            return earlier.job_id
        job_id = act(connection)
        if key:
            idempotency.keep(connection, key.key, key.digest(), job_id)
        return job_id
