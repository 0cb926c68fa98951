"""Start a worker: `python -m worker.main`. A Celery parent listens, and its child predicts."""

import os
import sys
import warnings

from celery.exceptions import SecurityWarning
from pydantic import ValidationError

from broker.celery_app import celery_app
from db import preflight
from inference.manifest import ModelError
from monitoring.logs import configure_logs
from settings import DatabaseSettings, LivenessSettings, MetricsSettings, QueueSettings, WorkerSettings, problem, refuse
from worker import parent
from worker.served import served_manifest

# Run workers at lower priority: API and PostgreSQL need little CPU, and callers wait for them.
NICE = 5


def main() -> None:
    """Check settings and model, then run Celery until a signal.

    If the model directory is wrong, print one line and exit with code 1; with code 2 for a setting or the database.
    """
    try:
        database = DatabaseSettings()
        MetricsSettings()
        liveness = LivenessSettings()
        settings, queue_settings = WorkerSettings(), QueueSettings()
        served_manifest(settings)
    except ValidationError as error:
        refuse("worker", problem(error))
    except ModelError as error:
        sys.exit(f"worker: {error}")
    configure_logs("worker")
    preflight.check_at_start(database, "worker")
    parent.watch(liveness.heartbeat_file)
    os.nice(NICE)
    # Safe as root: a forged message can only wake the worker (broker.transport).
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = celery_app(queue_settings, settings.model).Worker(
        quiet=True, loglevel="WARNING", without_gossip=True, without_mingle=True, without_heartbeat=True
    )
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
