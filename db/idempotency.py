"""Statements about idempotency keys. A key is stored in the transaction that adds its job."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier request with the same key."""

    request_sha256: bytes
    job_id: UUID


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_FIND = text("SELECT request_sha256, job_id FROM idempotency_keys WHERE key = :key")
_KEEP = text("INSERT INTO idempotency_keys (key, request_sha256, job_id) VALUES (:key, :request_sha256, :job_id)")


def find(connection: Connection, key: str) -> Earlier | None:
    """Return the earlier request with this key; wait for one that is still running.

    The advisory lock is held until the transaction ends, so of two equal concurrent requests the second finds the
    job of the first.
    """
    connection.execute(_LOCK, {"key": key})
    row = connection.execute(_FIND, {"key": key}).one_or_none()
    return Earlier(bytes(row.request_sha256), row.job_id) if row else None


def keep(connection: Connection, key: str, request_sha256: bytes, job_id: UUID) -> None:
    """Store the key with its job."""
    connection.execute(_KEEP, {"key": key, "request_sha256": request_sha256, "job_id": job_id})
