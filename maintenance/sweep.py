"""One round of maintenance: expired leases, deadlines, wake-ups."""

from collections.abc import Callable

import structlog

from broker.notifier import Notifier
from broker.wakeups import Waker
from db.engine import Engine
from maintenance import deadlines, expired_leases
from maintenance.wakeups import WakeUps
from settings import MaintenanceSettings

log = structlog.get_logger()


class Sweeper:
    """The services of one round, in order; `sweep` runs it."""

    def __init__(
        self,
        engine: Engine,
        settings: MaintenanceSettings,
        waker: Waker,
        notifier: Notifier,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._notifier = notifier
        self._beat = beat
        self.wake_ups = WakeUps(engine, waker)

    def sweep(self) -> None:
        """Run one round.

        Raises:
            DatabaseError: PostgreSQL cannot be reached; the next round does the rest.
        """
        leases = expired_leases.give_back(self._engine, self._settings.max_attempts, self._beat)
        overdue = deadlines.expire(self._engine)
        lanes = self.wake_ups.due()
        if leases or overdue:
            log.warning("swept", lost_leases=leases, expired_jobs=len(overdue))
        self._notifier.notify(overdue)
        self.wake_ups.send(lanes)
