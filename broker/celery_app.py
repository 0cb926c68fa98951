"""Configure Celery on Redis: no results, no retries, no acknowledgements."""

from celery import Celery
from kombu import Queue

from broker.messages import queue_name
from broker.redis_address import connection_options
from db.models import Lane, ModelLane
from settings import QueueSettings


def celery_app(settings: QueueSettings, model: str) -> Celery:
    """Configure a Celery app that only wakes workers: no results, no retries, no acknowledgements in Redis.

    It listens to the queues of one model, so that a message never wakes a worker of another model. Without ack
    emulation nothing of a message stays in Redis once it is read: a killed worker leaves nothing behind, and a
    restarted one does not read the same message again.
    """
    queues = [queue_name(ModelLane(model, lane)) for lane in Lane]
    # redis-py parses the address (broker.transport). Celery would split it at a `;` into two addresses.
    app = Celery("verdict", broker=settings.redis_url.replace(";", "%3B"))
    app.conf.update(
        imports=("worker.tasks",),
        broker_transport="broker.transport:Transport",
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
        task_time_limit=120,  # a last resort: worker.parent detects a hung child sooner
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_pool="prefork",
        worker_pool_start_method="spawn",  # a fork after use of onnxruntime can hang
        worker_proc_alive_timeout=120,
        worker_enable_remote_control=False,  # otherwise anybody with access to Redis could stop the worker
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # logs go to stderr, which Celery would capture and drop
    )
    return app
