"""Fixtures: one real PostgreSQL and one Valkey for the session, and a new database for each test.

The migrations build the schema once, in a template database that each test's database is copied from.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import hypothesis
import psycopg
import pytest
import redis
import uvicorn
from sqlalchemy import text

from api.app import create_app
from api.http.protocol import HttpProtocol
from benchmarks.common.stack import Stack
from benchmarks.common.waiting import poll
from broker.notifier import Notifier
from db import registrations
from db.engine import Connection, Engine, connect, transaction
from db.migrate import upgrade
from db.registrations import NewModel
from settings import ApiSettings, DatabaseSettings, QueueSettings, WorkerSettings
from tests.fakes import LABELS, FakeClassifier
from tests.servers import RunningServer, postgres_server, shipped_stack, valkey_server
from worker.context import WorkerContext
from worker.drain import Drain

WAIT_SECONDS = 20.0

# No deadline: on a shared machine the time of an example is not informative.
hypothesis.settings.register_profile("verdict", deadline=None)
hypothesis.settings.load_profile("verdict")

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
    """Return the value of `condition` as soon as it is true; fail when the time is up."""
    value = poll(condition, seconds)
    assert value, f"not true within {seconds} s"
    return value


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A running service with the shipped model, for one module."""
    with shipped_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the default database of a running PostgreSQL."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A running Valkey."""
    with valkey_server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """Name of the template database, which has the newest schema."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_verdict")
    upgrade(DatabaseSettings(database_url=_with_database(postgres, "template_verdict")))
    return "template_verdict"


def _with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@contextmanager
def new_database(postgres: str, template: str) -> Iterator[DatabaseSettings]:
    """Create an empty copy of `template`, and drop it when the block ends."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield DatabaseSettings(database_url=_with_database(postgres, name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgres: str, template: str) -> Iterator[DatabaseSettings]:
    """An empty database with the newest schema, for one test."""
    with new_database(postgres, template) as settings:
        yield settings


@pytest.fixture
def engine(database: DatabaseSettings) -> Iterator[Engine]:
    """A pool on the test's database."""
    engine = connect(database, "test")
    yield engine
    engine.dispose()


@pytest.fixture
def nothing(postgres: str) -> Iterator[DatabaseSettings]:
    """A database without any table."""
    with new_database(postgres, "template0") as settings:
        yield settings


@pytest.fixture
def bare(nothing: DatabaseSettings) -> Iterator[Engine]:
    """A pool on the database without any table."""
    engine = connect(nothing, "test")
    yield engine
    engine.dispose()


@pytest.fixture
def queue(valkey: RunningServer) -> QueueSettings:
    """The test's Valkey, emptied."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return QueueSettings(redis_url=valkey.url)


def register_fake(connection: Connection, name: str = "default") -> int:
    """Register the fake model as a worker would; return its id."""
    return registrations.register_model(
        connection, NewModel(name, "0", "fake", "fake", LABELS, max_tokens=128, metrics=[])
    )


def serve_fake(connection: Connection, name: str = "default") -> int:
    """Register the fake model with an idle worker that counts as live for an hour; return its id."""
    return serve(connection, register_fake(connection, name), name)


def serve(connection: Connection, model_id: int, name: str = "default") -> int:
    """Register a worker that counts as live for an hour; return the id of its model."""
    registrations.worker_seen(connection, name, model_id)
    connection.execute(text("UPDATE workers SET seen_at = now() + interval '1 h' WHERE name = :name"), {"name": name})
    return model_id


@pytest.fixture
def model_id(engine: Engine) -> int:
    """Id of the fake model, which has a live worker."""
    with transaction(engine) as connection:
        return serve_fake(connection)


@contextmanager
def serving(settings: ApiSettings, database: DatabaseSettings, queue: QueueSettings) -> Iterator[str]:
    """Run a real HTTP server in a thread; yields its URL."""
    app = create_app(settings, database, queue)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=HttpProtocol, proxy_headers=False, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def own_api(
    settings: ApiSettings, postgres: str, template: str, valkey: RunningServer
) -> Iterator[tuple[httpx.Client, str]]:
    """Run an API with the fake model and a database for many tests; yields a client and the database's URL."""
    with new_database(postgres, template) as database:
        engine = connect(database, "test")
        with transaction(engine) as connection:
            serve_fake(connection)
        engine.dispose()
        queue = QueueSettings(redis_url=valkey.url)
        with serving(settings, database, queue) as url, httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client:
            yield client, database.database_url


@pytest.fixture
def url(database: DatabaseSettings, queue: QueueSettings, model_id: int) -> Iterator[str]:
    """URL of a running API with the fake model."""
    assert model_id
    with serving(ApiSettings(), database, queue) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    """A client of that API."""
    with httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client:
        yield client


@pytest.fixture
def classifier() -> FakeClassifier:
    """The fake model."""
    return FakeClassifier()


@pytest.fixture
def context(engine: Engine, model_id: int, queue: QueueSettings, classifier: FakeClassifier) -> Iterator[WorkerContext]:
    """The context of a worker process with the fake model."""
    notifier = Notifier(queue)
    thread = threading.Thread(target=notifier.run)
    thread.start()
    yield WorkerContext(WorkerSettings(), engine, classifier, model_id, "default", notifier.notify, lambda _: None)
    notifier.close()
    thread.join()


@pytest.fixture
def drain(context: WorkerContext) -> Callable[[], None]:
    """A function that runs one drain."""
    return lambda: Drain(context).run()


@pytest.fixture
def worker(context: WorkerContext) -> Iterator[None]:
    """Run drains in a thread, as if a worker were woken all the time."""
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(0.005):
            Drain(context).run()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopping.set()
    thread.join()
