"""Wake workers for lanes in which reviews wait, and now and then for the lanes of every loaded model."""

import time

from broker.wakeups import Waker
from db import jobs, registrations
from db.engine import Connection, Engine, transaction
from db.models import Lane, ModelLane
from monitoring.metrics import SWEPT

# Every so often all lanes are woken although nothing waits: a worker that answers has shown that the whole path
# through Redis works, and only that makes `/readyz` say so.
CANARY_SECONDS = 5


class WakeUps:
    """Finds the lanes that need a worker, and wakes one. Remembers when it last woke all of them."""

    def __init__(self, engine: Engine, waker: Waker) -> None:
        self._engine = engine
        self._waker = waker
        self.canary_at = 0.0

    def due(self) -> set[ModelLane]:
        """Return the lanes in which reviews wait and, every CANARY_SECONDS, those of every loaded model."""
        with transaction(self._engine) as connection:
            waiting = {each.queue for each in jobs.backlog(connection)}
            due = waiting | self._canaries(connection)
        SWEPT.labels("waiting_lanes").inc(len(waiting))
        return due

    def send(self, lanes: set[ModelLane]) -> None:
        """Wake a worker for each lane."""
        for lane in lanes:
            self._waker.wake(lane)

    def _canaries(self, connection: Connection) -> set[ModelLane]:
        if time.monotonic() < self.canary_at:
            return set()
        self.canary_at = time.monotonic() + CANARY_SECONDS
        return {ModelLane(model, lane) for model in registrations.loaded_models(connection) for lane in Lane}
