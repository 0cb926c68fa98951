"""The sweeper: `python -m worker.maintenance`. Whatever was lost on the way is found here within a second.

Rings for lanes in which reviews wait, gives back the reviews of lost workers, ends overdue jobs,
deletes what is past its retention. Several may run at once.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog
from pydantic import ValidationError

from db import jobs, sweeps
from db.engine import DatabaseError, Engine, connect, transaction
from db.models import Lane
from db.sweeps import Retention
from monitoring.logs import configure_logs
from settings import DatabaseSettings, MaintenanceSettings, QueueSettings
from worker.notify import Notifier
from worker.queue import Doorbell

# Now and then every lane is rung although nothing waits: a worker that answers has shown that the
# whole chain works, and only that makes `/readyz` say so.
CANARY_SECONDS = 5
FORGET_SECONDS = 60

log = structlog.get_logger()


class Sweeper:
    """Sweeps; `sweep` is one round."""

    def __init__(self, engine: Engine, settings: MaintenanceSettings, doorbell: Doorbell, notifier: Notifier) -> None:
        self._engine = engine
        self._settings = settings
        self._doorbell = doorbell
        self._notifier = notifier
        self._canary_at = 0.0

    def sweep(self) -> None:
        """One round.

        Raises:
            DatabaseError: the store is out of reach; the next round makes up for it.
        """
        lost = 0
        while self._give_back():
            lost += 1
        with transaction(self._engine) as connection:
            overdue = sweeps.expire_overdue(connection)
        with transaction(self._engine) as connection:
            waiting = {lane.lane for lane in jobs.backlog(connection)}
        if lost or overdue:
            log.warning("swept", lost_leases=lost, expired_jobs=len(overdue))
        self._notifier.notify(overdue)
        for lane in self._due(waiting):
            self._doorbell.ring(lane)

    def _give_back(self) -> bool:
        with transaction(self._engine) as connection:
            return sweeps.give_back_lost(connection, self._settings.max_attempts)

    def _due(self, waiting: set[Lane]) -> set[Lane]:
        if time.monotonic() < self._canary_at:
            return waiting
        self._canary_at = time.monotonic() + CANARY_SECONDS
        return set(Lane)


def forget(engine: Engine, settings: MaintenanceSettings) -> None:
    """Delete what is past its retention: half a minute for a job of a million rows."""
    retention = Retention(
        jobs=timedelta(days=settings.retention_days), idempotency_keys=timedelta(hours=settings.idempotency_hours)
    )
    with transaction(engine) as connection:
        sweeps.forget_old(connection, retention)


def _every(seconds: float, stopping: threading.Event, act: Callable[[], None]) -> None:
    """Do it again and again; any other error than the store's ends the process, and the supervisor starts it anew."""
    try:
        while not stopping.wait(seconds):
            try:
                act()
            except DatabaseError as error:
                log.warning("sweep_failed", error=str(error))
    finally:
        stopping.set()


def main() -> None:
    """Sweep until a signal ends it; exit code 1 with one line when a setting is wrong."""
    try:
        database, queue, settings = DatabaseSettings(), QueueSettings(), MaintenanceSettings()
    except ValidationError as error:
        sys.exit(f"maintenance: {error}")
    configure_logs("maintenance")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    engine, notifier = connect(database, "verdict-maintenance"), Notifier(queue)
    threading.Thread(target=notifier.run, name="notifier", daemon=True).start()
    forgetting = partial(forget, engine, settings)
    threading.Thread(target=_every, args=(FORGET_SECONDS, stopping, forgetting), name="forget", daemon=True).start()
    with Doorbell(queue) as doorbell:
        sweeper = Sweeper(engine, settings, doorbell, notifier)
        _every(settings.sweep_seconds, stopping, sweeper.sweep)


if __name__ == "__main__":
    main()
