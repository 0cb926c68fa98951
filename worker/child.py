"""The worker's child process, from its beginning to its end: the one station that every drain uses.

Celery's signals call `start` and `stop`; imported with worker.tasks, by the child process only.
"""

from typing import Any

import structlog
from celery.signals import worker_process_init, worker_process_shutdown

from db.engine import DatabaseError
from monitoring import exporter, registries
from monitoring.liveness import Heartbeat, Steps
from monitoring.logs import configure_logs
from monitoring.metrics import WORKER_READY
from monitoring.traces import configure_traces
from settings import DatabaseSettings, LivenessSettings, MetricsSettings, QueueSettings, WorkerSettings
from worker.context import WorkerContext, open_context
from worker.parent import child_file
from worker.store import show_zeros

log = structlog.get_logger()
contexts: list[WorkerContext] = []  # one, opened after the child process has started


@worker_process_init.connect
def start(**_: Any) -> None:
    """Open the child's station; a child that cannot ends, and is made anew."""
    configure_logs("worker")
    path = LivenessSettings().heartbeat_file
    heartbeat = Heartbeat(path and child_file(path), is_ready=False)  # a large model may take long to load
    steps = Steps(heartbeat)
    steps.start()
    configure_traces("worker")
    exporter.serve(MetricsSettings(), registries.registry(registries.WORKER))
    try:
        settings = WorkerSettings()
        show_zeros(settings.model)  # before the first review: a count that begins above 0 shows no rise
        context = open_context(settings, DatabaseSettings(), QueueSettings())
    # Celery only logs what a signal's receiver raises, and would keep a child that can do nothing.
    except DatabaseError as error:
        log.error("worker_not_ready", error=str(error), reason=error.reason)  # noqa: TRY400  a trace says no more
        raise SystemExit(1) from error
    except Exception as error:
        log.exception("worker_not_ready")
        raise SystemExit(1) from error
    context.step = steps.step
    contexts.append(context)
    heartbeat.is_ready = True
    heartbeat.beat()  # at once: a child that hangs from now on has the short limit, not that of one that loads
    model = context.classifier.info
    WORKER_READY.set(1)
    log.info("worker_ready", model=model.name, version=model.version)


@worker_process_shutdown.connect
def stop(**_: Any) -> None:
    """Say that the worker ends: who waits for work to be done learns it at once."""
    for context in contexts:
        context.deregister()
