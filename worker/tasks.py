"""The Celery task, which runs a drain for each wake-up. Only the child process imports this module."""

import structlog
from celery import shared_task

from broker.messages import DRAIN
from db.engine import DatabaseError
from worker.child import contexts
from worker.drain import Drain

log = structlog.get_logger()


@shared_task(name=DRAIN)
def drain(lane: str) -> None:
    """Drain all lanes, the interactive one first; `lane` is the one that was woken."""
    try:
        Drain(contexts[0]).run()
    except DatabaseError as error:
        log.warning("drain_stopped", lane=lane, error=str(error))
    except BaseException as error:
        # Celery ends the whole worker on a MemoryError, and leaks the slot on a SystemExit.
        log.exception("drain_failed", lane=lane)
        raise RuntimeError(f"drain failed: {type(error).__name__}") from error
