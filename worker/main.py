"""Start a worker: `python -m worker.main`. One Celery parent listens, one child predicts."""

import os
import sys
import warnings

from celery.exceptions import SecurityWarning
from pydantic import ValidationError

from broker.celery_app import celery_app
from inference.manifest import ModelError
from monitoring.logs import configure_logs
from settings import DatabaseSettings, LivenessSettings, MetricsSettings, QueueSettings, WorkerSettings, problem
from worker import parent
from worker.served import served_manifest

# On a machine that all share, the API and the store go first: they need little, and whoever waits waits for them.
NICE = 5


def main() -> None:
    """Check what the child will need, then run Celery until a signal ends it.

    Exit code 1 with one line when a setting or the model directory is wrong.
    """
    try:
        DatabaseSettings()
        MetricsSettings()
        liveness = LivenessSettings()
        settings, queue_settings = WorkerSettings(), QueueSettings()
        served_manifest(settings)
    except ValidationError as error:
        sys.exit(f"worker: {problem(error)}")
    except ModelError as error:
        sys.exit(f"worker: {error}")
    configure_logs("worker")
    parent.watch(liveness.heartbeat_file)
    os.nice(NICE)
    # A forged message can do no more than wake us (broker.transport), whoever we run as.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = celery_app(queue_settings, settings.model).Worker(
        quiet=True, loglevel="WARNING", without_gossip=True, without_mingle=True, without_heartbeat=True
    )
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
