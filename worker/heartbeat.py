"""Extend the leases of a drain while it works, up to the cap of each lease."""

from collections.abc import Collection
from datetime import timedelta
from threading import Event
from uuid import UUID

import structlog

from db import heartbeats
from db.engine import DatabaseError, transaction
from worker.context import WorkerContext

log = structlog.get_logger()


def beat(context: WorkerContext, held: Collection[UUID], stored: Event) -> None:
    """Extend the leases in `held` every third of a lease's duration, until `stored` is set."""
    settings = context.settings
    lease, cap = timedelta(seconds=settings.lease_seconds), timedelta(seconds=settings.lease_cap_seconds)
    while not stored.wait(settings.lease_seconds / 3):
        try:
            with transaction(context.engine) as connection:
                heartbeats.extend(connection, list(held), lease, cap)
        except DatabaseError as error:
            log.warning("heartbeat_failed", error=str(error))
