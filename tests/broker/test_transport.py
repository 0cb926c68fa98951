"""A worker reads every entry of a queue's list as a wake-up: over kombu, from a real Valkey."""

import base64
import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from kombu import Consumer

from broker.celery_app import celery_app
from broker.messages import DRAIN, queue_name, wakeup_message
from db.models import Lane
from settings import QueueSettings
from tests.fakes import BULK, INTERACTIVE, MODEL


def envelope(**changes: Any) -> bytes:
    """Return a wake-up message with some members changed."""
    return json.dumps(json.loads(wakeup_message("verdict.default.bulk")) | changes).encode()


class Bomb:
    """Raises wherever it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit",)


HOSTILE = {
    "a wake-up": wakeup_message("verdict.default.bulk"),
    "nothing": b"",
    "garbage": b"\x00\x01garbage",
    "invalid UTF-8": b"\xff\xfe\xfd",
    "half an envelope": wakeup_message("verdict.default.bulk")[:100],
    "JSON of another shape": b'["drain", null, 1e999]',
    "deep JSON": b"[" * 100_000,
    "1 MB": b"x" * 1_000_000,
    "a pickle": pickle.dumps(Bomb()),
    "an envelope without properties": envelope(properties={}),
    "an envelope without headers": envelope(headers={}),
    "a header that is no header": envelope(headers=[1, 2]),
    "a body that is no base64": envelope(body="%%%"),
    "a pickled body": envelope(
        body=base64.b64encode(pickle.dumps(Bomb())).decode(), **{"content-type": "application/x-python-serialize"}
    ),
    "another task": envelope(headers={"task": "celery.backend_cleanup", "id": "1"}),
    "a delivery to elsewhere": envelope(properties={"delivery_info": {"routing_key": "x"}, "delivery_tag": 1}),
    "a compression": envelope(headers={"compression": "application/x-gzip", "task": DRAIN, "id": "1"}),
    "an eta": envelope(headers={"eta": "never", "task": DRAIN, "id": "1"}),
}


@contextmanager
def listening(queue: QueueSettings) -> Iterator[list[tuple[Any, Any]]]:
    """Run a consumer like that of the Celery worker; yields the received bodies and headers."""
    app = celery_app(queue, MODEL)
    received: list[tuple[Any, Any]] = []

    def take(body: Any, message: Any) -> None:
        message.ack()
        received.append((body, message.headers))

    with (
        app.connection_for_read() as connection,
        Consumer(connection, queues=app.conf.task_queues, callbacks=[take], accept=["json"]),
        redis.Redis.from_url(queue.redis_url) as client,
    ):
        while any(client.exists(queue_name(each)) for each in (INTERACTIVE, BULK)) or not received:
            connection.drain_events(timeout=10)
        yield received
    app.close()


@pytest.mark.parametrize("entry", HOSTILE.values(), ids=HOSTILE)
def test_each_entry_is_a_wakeup_of_its_lane(queue: QueueSettings, entry: bytes) -> None:
    with redis.Redis.from_url(queue.redis_url) as client:
        client.lpush(queue_name(INTERACTIVE), entry)
    with listening(queue) as received:
        [(body, headers)] = received
    assert body == [[Lane.INTERACTIVE], {}, {}]
    assert headers["task"] == DRAIN


def test_a_wakeup_behind_hostile_entries_is_received(queue: QueueSettings) -> None:
    with redis.Redis.from_url(queue.redis_url) as client:
        client.lpush(queue_name(BULK), *HOSTILE.values(), wakeup_message(queue_name(BULK)))
    with listening(queue) as received:
        assert [body for body, _ in received] == [[[Lane.BULK], {}, {}]] * (len(HOSTILE) + 1)


def test_every_wakeup_has_an_id_of_its_own(queue: QueueSettings) -> None:
    with redis.Redis.from_url(queue.redis_url) as client:
        client.lpush(queue_name(BULK), *[wakeup_message(queue_name(BULK))] * 3)
    with listening(queue) as received:
        assert len({headers["id"] for _, headers in received}) == 3


def test_nothing_of_a_wakeup_stays_in_redis(queue: QueueSettings) -> None:
    with redis.Redis.from_url(queue.redis_url) as client:
        client.lpush(queue_name(BULK), b"junk", wakeup_message(queue_name(BULK)))
        with listening(queue):
            left = {key for key in client.keys("*") if not key.startswith(b"_kombu.binding.")}
    assert left == set()
