"""The sweeper: `python -m worker.maintenance`. Whatever was lost on the way is found here within a second.

Rings for queues in which reviews wait, gives back the reviews of lost workers, ends overdue jobs, deletes what is past
its retention, makes the coming days of the request log. Several may run at once.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import partial

import structlog
from pydantic import ValidationError

from db import jobs, pool, prediction_cache, registrations, request_log, sweeps
from db.engine import Connection, DatabaseError, Engine, connect, transaction
from db.jobs import Ended
from db.models import Lane, ModelLane
from db.sweeps import Retention
from monitoring.exporter import serve
from monitoring.liveness import BEAT_SECONDS, Heartbeat
from monitoring.logs import configure_logs
from monitoring.metrics import RESULTS, SWEPT
from settings import DatabaseSettings, LivenessSettings, MaintenanceSettings, MetricsSettings, QueueSettings, problem
from worker.notify import Notifier
from worker.queue import Doorbell

# Now and then every lane of every model is rung although nothing waits: a worker that answers has shown that the
# whole chain works, and only that makes `/readyz` say so.
CANARY_SECONDS = 5
FORGET_SECONDS = 60
DAYS_AHEAD = 3  # of the request log; the API makes today's and tomorrow's if they are missing

log = structlog.get_logger()


class Sweeper:
    """Sweeps; `sweep` is one round."""

    def __init__(
        self,
        engine: Engine,
        settings: MaintenanceSettings,
        doorbell: Doorbell,
        notifier: Notifier,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._doorbell = doorbell
        self._notifier = notifier
        self._beat = beat
        self._canary_at = 0.0

    def sweep(self) -> None:
        """One round.

        Raises:
            DatabaseError: the store is out of reach; the next round makes up for it.
        """
        leases = 0
        while (exhausted := self._give_back()) is not None:
            leases += 1
            self._beat()
            SWEPT.labels("lost_leases").inc()
            _count(exhausted, "failed")
        with transaction(self._engine) as connection:
            overdue = sweeps.expire_overdue(connection)
        SWEPT.labels("expired_jobs").inc(len(overdue))
        _count(overdue, "expired")
        with transaction(self._engine) as connection:
            waiting = {each.queue for each in jobs.backlog(connection)}
            due = waiting | self._canaries(connection)
        SWEPT.labels("waiting_lanes").inc(len(waiting))
        if leases or overdue:
            log.warning("swept", lost_leases=leases, expired_jobs=len(overdue))
        self._notifier.notify(job.job_id for job in overdue)
        for queue in due:
            self._doorbell.ring(queue)

    def _give_back(self) -> list[Ended] | None:
        with transaction(self._engine) as connection:
            return sweeps.give_back_lost(connection, self._settings.max_attempts)

    def _canaries(self, connection: Connection) -> set[ModelLane]:
        """Every queue that a worker may listen to, now and then; else none."""
        if time.monotonic() < self._canary_at:
            return set()
        self._canary_at = time.monotonic() + CANARY_SECONDS
        return {ModelLane(model, lane) for model in registrations.loaded_models(connection) for lane in Lane}


def _count(ended: Iterable[Ended], status: str) -> None:
    """Count what was ended, after the COMMIT."""
    for job in ended:
        RESULTS.labels(job.lane, status, job.reason).inc(job.rows)


def show_zeros() -> None:
    """Show what was not found yet as 0: of a series that begins with 1, Prometheus sees no increase."""
    for found in ("lost_leases", "expired_jobs", "waiting_lanes"):
        SWEPT.labels(found)
    for lane in Lane:
        RESULTS.labels(lane, "expired", "")
        RESULTS.labels(lane, "failed", "exhausted")


def keep_days(engine: Engine, settings: MaintenanceSettings) -> None:
    """Make the coming days of the request log, and drop those past their retention.

    Raises:
        DatabaseError: the store is out of reach, or somebody reads the log just now; the next round makes up for it.
    """
    with transaction(engine) as connection:
        request_log.create_partitions(connection, DAYS_AHEAD)
    dropped: date | None = date.min
    while dropped:
        with transaction(engine) as connection:
            dropped = request_log.drop_partition(connection, settings.request_log_days)
        if dropped:
            log.info("request_log_dropped", day=dropped.isoformat())


def forget(engine: Engine, settings: MaintenanceSettings) -> None:
    """Delete what is past its retention: half a minute for a job of a million rows."""
    retention = Retention(
        jobs=timedelta(days=settings.retention_days), idempotency_keys=timedelta(hours=settings.idempotency_hours)
    )
    with transaction(engine) as connection:
        sweeps.forget_old(connection, retention)
    more = True
    while more:
        with transaction(engine) as connection:
            age = timedelta(days=settings.prediction_cache_days)
            more = prediction_cache.prune(connection, settings.prediction_cache_rows, age)


def _every(
    seconds: float, stopping: threading.Event, act: Callable[[], None], beat: Callable[[], None] = lambda: None
) -> None:
    """Do it again and again; any other error than the store's ends the process, and the supervisor starts it anew."""
    try:
        while not _stops_within(seconds, stopping, beat):
            try:
                act()
            except DatabaseError as error:
                log.warning("sweep_failed", error=str(error), reason=error.reason)
    finally:
        stopping.set()


def _stops_within(seconds: float, stopping: threading.Event, beat: Callable[[], None]) -> bool:
    """Wait, and beat meanwhile; whether it is time to stop."""
    end = time.monotonic() + seconds
    while not stopping.is_set() and (left := end - time.monotonic()) > 0:
        beat()
        stopping.wait(min(left, BEAT_SECONDS))
    return stopping.is_set()


def main() -> None:
    """Sweep until a signal ends it; exit code 1 with one line when a setting is wrong."""
    try:
        database, queue, settings = DatabaseSettings(), QueueSettings(), MaintenanceSettings()
        metrics, liveness = MetricsSettings(), LivenessSettings()
    except ValidationError as error:
        sys.exit(f"maintenance: {problem(error)}")
    configure_logs("maintenance")
    heartbeat, stopping = Heartbeat(liveness.heartbeat_file), threading.Event()
    heartbeat.beat()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    engine, notifier = connect(database, "verdict-maintenance"), Notifier(queue)
    pool.show(engine)
    show_zeros()
    serve(metrics)
    threading.Thread(target=notifier.run, name="notifier", daemon=True).start()
    for name, act in {
        "forget": partial(forget, engine, settings),
        "days": partial(keep_days, engine, settings),
    }.items():
        # Threads of their own: forgetting a large job takes longer than a sweep may wait.
        threading.Thread(target=_every, args=(FORGET_SECONDS, stopping, act), name=name, daemon=True).start()
    with Doorbell(queue) as doorbell:
        sweeper = Sweeper(engine, settings, doorbell, notifier, heartbeat.beat)
        _every(settings.sweep_seconds, stopping, sweeper.sweep, heartbeat.beat)


if __name__ == "__main__":
    main()
