"""The statement that extends leases."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, text

_EXTEND = text("""
UPDATE leases SET expires_at = least(now() + :lease, started_at + :cap)
WHERE token = ANY (:tokens) AND expires_at > now()
""")


def extend(connection: Connection, tokens: Sequence[UUID], lease: timedelta, cap: timedelta) -> None:
    """Extend these leases by `lease` from now, but none beyond `cap` after its start."""
    connection.execute(_EXTEND, {"tokens": list(tokens), "lease": lease, "cap": cap})
