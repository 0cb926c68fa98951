"""Start a worker: `python -m worker.main`. One Celery parent that listens, one child that predicts."""

import os
import sys
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning
from kombu import Queue
from pydantic import ValidationError

from db.models import Lane, ModelLane
from monitoring.logs import configure_logs
from settings import DatabaseSettings, LivenessSettings, MetricsSettings, QueueSettings, WorkerSettings, problem
from worker import parent
from worker.messages import queue_name
from worker.redis_address import connection_options
from worker.registry import ModelError
from worker.served import served_manifest

# On a machine that all share, the API and the store go first: they need little, and whoever waits waits for them.
NICE = 5


def celery_app(settings: QueueSettings, model: str) -> Celery:
    """Celery on Redis, used as a doorbell only: no results, no retries, no acknowledgements in Redis.

    It listens to the queues of one model, so a ring never wakes a worker that cannot answer it.

    Without ack emulation nothing of a message stays in Redis once it is read, so there is nothing
    that a killed worker could leave behind or that a restarted one would choke on again.
    """
    queues = [queue_name(ModelLane(model, lane)) for lane in Lane]
    # Our transport leaves the address to redis-py; Celery would take a `;` in it for the next address.
    app = Celery("verdict", broker=settings.redis_url.replace(";", "%3B"))
    app.conf.update(
        imports=("worker.tasks",),
        broker_transport="worker.transport:Transport",
        broker_transport_options={
            "address": connection_options(settings),
            "ack_emulation": False,
            "priority_steps": [0],
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 5,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_queues=[Queue(name, routing_key=name) for name in queues],
        task_create_missing_queues=False,
        task_default_queue=queues[0],
        task_time_limit=120,  # the last resort: worker.parent notices a hung child sooner
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_pool="prefork",
        worker_pool_start_method="spawn",  # a fork after use of onnxruntime can hang
        worker_proc_alive_timeout=120,
        worker_enable_remote_control=False,  # whoever reaches Redis could otherwise end the worker
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # our lines go to stderr, which would come back as lines and be dropped
    )
    return app


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
    # A forged message can do no more than wake us (worker.transport), whoever we run as.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = celery_app(queue_settings, settings.model).Worker(
        quiet=True, loglevel="WARNING", without_gossip=True, without_mingle=True, without_heartbeat=True
    )
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
