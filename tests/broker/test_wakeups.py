"""Waker and Notifier return at once, also when Valkey is slow, frozen or gone."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import pytest
import redis

from broker.messages import DONE_CHANNEL, DRAIN, done_message, job_ids, queue_name, wakeup_message
from broker.notifier import BACKLOG, Notifier
from broker.wakeups import Waker
from local import embedded
from settings import QueueSettings
from tests.conftest import wait_until
from tests.fakes import BULK, INTERACTIVE
from tests.servers import RunningServer, valkey_server

BULK_LIST = queue_name(BULK)
INSTANT_SECONDS = 0.05


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A Valkey for tests that freeze it or make it refuse writes."""
    with valkey_server(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture
def own_queue(own_valkey: RunningServer) -> Iterator[QueueSettings]:
    """That Valkey, emptied; it accepts writes again after the test."""
    with redis.Redis.from_url(own_valkey.url) as client:
        client.flushall()
        yield QueueSettings(redis_url=own_valkey.url)
        client.config_set("min-replicas-to-write", 0)


@pytest.fixture
def client(queue: QueueSettings) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(queue.redis_url) as client:
        yield client


@contextmanager
def frozen(server: RunningServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def wake_until_stored(waker: Waker, client: redis.Redis) -> None:
    """Send wake-ups repeatedly, as maintenance does, until one is in the list."""

    def stored() -> bool:
        waker.wake(BULK)
        return client.type(BULK_LIST) == b"list"

    wait_until(stored)


def seconds_of_100_wakeups(waker: Waker) -> float:
    started = time.perf_counter()
    for _ in range(50):
        for queue in (INTERACTIVE, BULK):
            waker.wake(queue)
    return time.perf_counter() - started


def test_a_wakeup_is_in_the_list_of_its_lane(queue: QueueSettings, client: redis.Redis) -> None:
    with Waker(queue) as waker:
        waker.wake(BULK)
    assert (client.llen(BULK_LIST), client.llen(queue_name(INTERACTIVE))) == (1, 0)


def test_a_wakeup_carries_no_review_and_no_id_of_one(queue: QueueSettings, client: redis.Redis) -> None:
    with Waker(queue) as waker:
        waker.wake(BULK)
    [entry] = client.lrange(BULK_LIST, 0, -1)
    assert len(entry) == len(wakeup_message(BULK_LIST))
    assert DRAIN.encode() in entry


@pytest.mark.parametrize("outstanding", [1, 2, 5])
def test_wakeups_are_coalesced(queue: QueueSettings, client: redis.Redis, outstanding: int) -> None:
    with Waker(queue.model_copy(update={"rings_outstanding": outstanding})) as waker:

        def is_full() -> bool:
            waker.wake(BULK)
            return client.llen(BULK_LIST) == outstanding

        wait_until(is_full)
        seconds_of_100_wakeups(waker)
    assert client.llen(BULK_LIST) == outstanding


def test_wakeups_of_many_processes_are_coalesced(queue: QueueSettings, client: redis.Redis) -> None:
    def wake(_: int) -> None:
        with Waker(queue) as waker:
            for _ in range(20):
                waker.wake(BULK)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(wake, range(8)))
    assert client.llen(BULK_LIST) == 2


def test_a_wakeup_is_instant_while_valkey_is_frozen(own_queue: QueueSettings, own_valkey: RunningServer) -> None:
    with Waker(own_queue) as waker, frozen(own_valkey):
        assert seconds_of_100_wakeups(waker) < INSTANT_SECONDS


def test_wakeups_are_stored_again_after_valkey_was_frozen(own_queue: QueueSettings, own_valkey: RunningServer) -> None:
    with Waker(own_queue) as waker, redis.Redis.from_url(own_valkey.url) as client:
        with frozen(own_valkey):
            waker.wake(BULK)
        wake_until_stored(waker, client)


def test_a_wakeup_is_instant_and_no_error_without_valkey() -> None:
    with Waker(QueueSettings(redis_url=f"redis://127.0.0.1:{embedded.free_port()}")) as waker:
        assert seconds_of_100_wakeups(waker) < INSTANT_SECONDS


@pytest.mark.parametrize(
    "fault", [redis.Redis.flushall, redis.Redis.script_flush, lambda client: client.client_kill_filter(_type="normal")]
)
def test_a_waker_survives(queue: QueueSettings, client: redis.Redis, fault: Callable[[redis.Redis], object]) -> None:
    with Waker(queue) as waker:
        wake_until_stored(waker, client)
        client.delete(BULK_LIST)
        fault(client)
        wake_until_stored(waker, client)


def test_a_key_of_another_type_is_deleted(queue: QueueSettings, client: redis.Redis) -> None:
    client.set(BULK_LIST, "not a list")
    with Waker(queue) as waker:
        wake_until_stored(waker, client)


def test_a_waker_survives_a_valkey_that_refuses_writes(own_queue: QueueSettings) -> None:
    with Waker(own_queue) as waker, redis.Redis.from_url(own_queue.redis_url) as client:
        client.config_set("min-replicas-to-write", 1)
        refused = client.info("errorstats").get("errorstat_NOREPLICAS", {"count": 0})["count"]

        def tried() -> bool:
            waker.wake(BULK)
            return bool(client.info("errorstats").get("errorstat_NOREPLICAS", {"count": 0})["count"] > refused)

        wait_until(tried)
        client.config_set("min-replicas-to-write", 0)
        wake_until_stored(waker, client)


def test_a_waker_that_closes_sends_its_pending_wakeups(queue: QueueSettings, client: redis.Redis) -> None:
    with Waker(queue) as waker:
        for each in (INTERACTIVE, BULK):
            waker.wake(each)
    assert [client.llen(queue_name(each)) for each in (INTERACTIVE, BULK)] == [1, 1]


def test_a_notification_is_received(queue: QueueSettings, client: redis.Redis) -> None:
    notifier = Notifier(queue)
    with client.pubsub() as channel:  # type: ignore[no-untyped-call]  # redis-py has no types here
        channel.subscribe(DONE_CHANNEL)
        wait_until(lambda: channel.get_message(timeout=1))
        notifier.notify([UUID(int=1), UUID(int=2)])
        notifier.close()
        notifier.run()
        message = wait_until(lambda: channel.get_message(timeout=1))
    assert list(job_ids(message["data"])) == [UUID(int=1), UUID(int=2)]


def test_notifying_is_instant_and_bounded_while_nobody_sends(queue: QueueSettings) -> None:
    notifier = Notifier(queue)
    started = time.perf_counter()
    for _ in range(2 * BACKLOG):
        notifier.notify([UUID(int=1)])
    assert time.perf_counter() - started < 1
    assert notifier._messages.qsize() == BACKLOG
    notifier._redis.close()


def test_a_notifier_survives_without_valkey() -> None:
    notifier = Notifier(QueueSettings(redis_url=f"redis://127.0.0.1:{embedded.free_port()}"))
    thread = threading.Thread(target=notifier.run)
    thread.start()
    for _ in range(3):
        notifier.notify([UUID(int=1)])
    notifier.close()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("message", [b"", b",,", b"\xff", b"junk", 1, None, b"9" * 10_000])
def test_a_junk_message_names_no_job(message: object) -> None:
    assert list(job_ids(message)) == []


def test_a_message_names_its_jobs() -> None:
    ids = [UUID(int=number) for number in range(3)]
    assert list(job_ids(b"junk," + done_message(ids))) == ids
