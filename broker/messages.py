"""The messages in Redis: wake-ups in a list for each queue, and ended jobs on one pub/sub channel."""

import base64
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from uuid import UUID

from db.models import ModelLane

DRAIN = "drain"  # name of the only Celery task
DONE_CHANNEL = "verdict.done"


def queue_name(queue: ModelLane) -> str:
    """Return the name of a Celery queue, which is a Redis list; only workers of its model listen to it."""
    return f"verdict.{queue.model}.{queue.lane}"


def wakeup_message(queue: str) -> bytes:
    """Return a message for the task `drain` in Celery's protocol 2.

    Celery's own producer takes 1 ms of CPU for it, this function 0.03 ms.
    """
    message_id = str(uuid.uuid4())
    body = json.dumps([[queue.rpartition(".")[2]], {}, {}])
    message = {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": DRAIN, "id": message_id, "root_id": message_id},
        "properties": {
            "correlation_id": message_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": message_id,
        },
    }
    return json.dumps(message).encode()


def done_message(job_ids: Iterable[UUID]) -> bytes:
    """Return the message that these jobs have ended."""
    return ",".join(str(job_id) for job_id in job_ids).encode()


def job_ids(message: object) -> Iterator[UUID]:
    """Yield the job ids in a message, and nothing for junk: any client of Redis can publish on the channel."""
    for part in message.split(b",") if isinstance(message, bytes) else ():
        with suppress(ValueError):
            yield UUID(part.decode("ascii", "replace"))
