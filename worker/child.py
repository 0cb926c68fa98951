"""Start and stop of the worker's child process, and the context that every drain uses.

Celery's signals call `start` and `stop`. Only the child process imports this module, with worker.tasks.
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
contexts: list[WorkerContext] = []  # at most one, opened when the child process starts


@worker_process_init.connect
def start(**_: Any) -> None:
    """Open the context of the child process. On an error the process exits, and Celery starts another."""
    configure_logs("worker")
    path = LivenessSettings().heartbeat_file
    heartbeat = Heartbeat(path and child_file(path), is_ready=False)  # a large model may take long to load
    steps = Steps(heartbeat)
    steps.start()
    configure_traces("worker")
    exporter.serve(MetricsSettings(), registries.registry(registries.WORKER))
    try:
        settings = WorkerSettings()
        show_zeros(
            settings.model
        )  # before the first review: Prometheus sees no increase in a series that starts above 0
        context = open_context(settings, DatabaseSettings(), QueueSettings())
    # Celery only logs an error of a signal receiver, and would keep a child without a context.
    except DatabaseError as error:
        log.error("worker_not_ready", error=str(error), reason=error.reason)  # noqa: TRY400  a traceback adds nothing
        raise SystemExit(1) from error
    except Exception as error:
        log.exception("worker_not_ready")
        raise SystemExit(1) from error
    context.step = steps.step
    contexts.append(context)
    heartbeat.is_ready = True
    heartbeat.beat()  # at once: from now on the short limit for a hung child applies, not the one for loading
    model = context.classifier.info
    WORKER_READY.set(1)
    log.info("worker_ready", model=model.name, version=model.version)


@worker_process_shutdown.connect
def stop(**_: Any) -> None:
    """Remove the worker from the list of live workers, so that its model counts as not served at once."""
    for context in contexts:
        context.deregister()
