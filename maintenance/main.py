"""The maintenance process: `python -m maintenance.main`. Several may run at once."""

import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import structlog
from pydantic import ValidationError

from broker.notifier import Notifier
from broker.wakeups import Waker
from db import pool, preflight
from db.engine import DatabaseError, connect
from maintenance.counts import show_zeros
from maintenance.log_partitions import keep_days
from maintenance.retention import forget
from maintenance.sweep import Sweeper
from monitoring.exporter import serve
from monitoring.liveness import BEAT_SECONDS, Heartbeat
from monitoring.logs import configure_logs
from monitoring.registries import MAINTENANCE, registry
from settings import (
    DatabaseSettings,
    LivenessSettings,
    MaintenanceSettings,
    MetricsSettings,
    QueueSettings,
    problem,
    refuse,
)

log = structlog.get_logger()
FORGET_SECONDS = 60


def _every(
    seconds: float, stopping: threading.Event, act: Callable[[], None], beat: Callable[[], None] = lambda: None
) -> None:
    """Call `act` repeatedly. An error other than a DatabaseError ends the process; its supervisor restarts it."""
    try:
        while not _stops_within(seconds, stopping, beat):
            try:
                act()
            except DatabaseError as error:
                log.warning("sweep_failed", error=str(error), reason=error.reason)
    finally:
        stopping.set()


def _stops_within(seconds: float, stopping: threading.Event, beat: Callable[[], None]) -> bool:
    """Wait for `seconds`, with heartbeats; return True early if the process is to stop."""
    end = time.monotonic() + seconds
    while not stopping.is_set() and (left := end - time.monotonic()) > 0:
        beat()
        stopping.wait(min(left, BEAT_SECONDS))
    return stopping.is_set()


def main() -> None:
    """Run maintenance rounds until a signal; on a wrong setting or database print one line and exit with code 2."""
    try:
        database, queue, settings = DatabaseSettings(), QueueSettings(), MaintenanceSettings()
        metrics, liveness = MetricsSettings(), LivenessSettings()
    except ValidationError as error:
        refuse("maintenance", problem(error))
    configure_logs("maintenance")
    preflight.check_at_start(database, "maintenance")
    heartbeat, stopping = Heartbeat(liveness.heartbeat_file), threading.Event()
    heartbeat.beat()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    engine, notifier = connect(database, "verdict-maintenance"), Notifier(queue)
    pool.show(engine)
    show_zeros()
    serve(metrics, registry(MAINTENANCE))
    threading.Thread(target=notifier.run, name="notifier", daemon=True).start()
    for name, act in {
        "forget": partial(forget, engine, settings),
        "days": partial(keep_days, engine, settings),
    }.items():
        # In threads of their own: deleting a large job takes longer than the time between two rounds.
        threading.Thread(target=_every, args=(FORGET_SECONDS, stopping, act), name=name, daemon=True).start()
    with Waker(queue) as waker:
        sweeper = Sweeper(engine, settings, waker, notifier, heartbeat.beat)
        _every(settings.sweep_seconds, stopping, sweeper.sweep, heartbeat.beat)


if __name__ == "__main__":
    main()
