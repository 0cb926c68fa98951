"""Statements about idempotency keys: a key belongs to the job it made, in that job's transaction."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Earlier:
    """The request that used a key before."""

    request_sha256: bytes
    job_id: UUID


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_FIND = text("SELECT request_sha256, job_id FROM idempotency_keys WHERE key = :key")
_KEEP = text("INSERT INTO idempotency_keys (key, request_sha256, job_id) VALUES (:key, :request_sha256, :job_id)")


def find(connection: Connection, key: str) -> Earlier | None:
    """The earlier request with this key; waits for one that is running just now.

    The advisory lock is held to the end of the transaction, so of two equal requests at once
    the second finds the job of the first.
    """
    connection.execute(_LOCK, {"key": key})
    row = connection.execute(_FIND, {"key": key}).one_or_none()
    return Earlier(bytes(row.request_sha256), row.job_id) if row else None


def keep(connection: Connection, key: str, request_sha256: bytes, job_id: UUID) -> None:
    """Remember the key with its job."""
    connection.execute(_KEEP, {"key": key, "request_sha256": request_sha256, "job_id": job_id})
