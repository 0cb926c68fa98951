"""The Celery task. Imported by the child process only; called for each ring, calls worker.drain."""

from typing import Any

import structlog
from celery import shared_task
from celery.signals import worker_process_init

from db.engine import DatabaseError
from monitoring.logs import configure_logs
from settings import DatabaseSettings, QueueSettings, WorkerSettings
from worker.drain import Drain
from worker.messages import DRAIN
from worker.station import Station, open_station

log = structlog.get_logger()
_stations: list[Station] = []  # one, opened after the child process has started


@worker_process_init.connect
def start(**_: Any) -> None:
    """Open the child's station; a child that cannot ends, and is made anew."""
    configure_logs("worker")
    _stations.append(open_station(WorkerSettings(), DatabaseSettings(), QueueSettings()))
    log.info("worker_ready", model=_stations[0].classifier.info.name, version=_stations[0].classifier.info.version)


@shared_task(name=DRAIN)
def drain(lane: str) -> None:
    """Answer a ring: every lane is drained, whichever rang, the interactive one first."""
    try:
        Drain(_stations[0]).run()
    except DatabaseError as error:
        log.warning("drain_stopped", lane=lane, error=str(error))
    except BaseException as error:
        # Celery ends the whole worker on a MemoryError, and leaks the slot on a SystemExit.
        log.exception("drain_failed", lane=lane)
        raise RuntimeError(f"drain failed: {type(error).__name__}") from error
