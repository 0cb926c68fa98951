"""All clients read `REDIS_URL` in the same way: TLS, socket files, users. The bytes on the wire are checked too."""

import asyncio
import gc
import select
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest
import redis
import trustme
from kombu import Consumer
from kombu.exceptions import OperationalError
from pydantic import ValidationError

from broker.celery_app import celery_app
from broker.connection import connect_redis
from broker.job_waiter import JobWaiter
from broker.messages import queue_name
from broker.notifier import Notifier
from broker.wakeups import Waker
from db.models import Lane
from local import embedded
from settings import QueueSettings, RunSettings
from tests.conftest import wait_until
from tests.fakes import BULK
from tests.servers import RunningServer

USER, PASSWORD = "sender", "p;ss+w/rd:%@"


@dataclass
class Authority:
    """A certificate authority for tests, with a certificate for localhost and one for a client."""

    folder: Path
    ca: Path = field(init=False)

    def __post_init__(self) -> None:
        made = trustme.CA()
        self.ca = self.folder / "ca.pem"
        made.cert_pem.write_to_path(self.ca)
        for name in ("server", "client"):
            leaf = made.issue_cert("localhost" if name == "server" else "client@localhost")
            leaf.private_key_pem.write_to_path(self.folder / f"{name}.key")
            leaf.cert_chain_pems[0].write_to_path(self.folder / f"{name}.pem")

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS context of a server that requires a client certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def settings(self, url: str) -> QueueSettings:
        """Return settings with this address, the authority and the client certificate."""
        certificate, key = self.folder / "client.pem", self.folder / "client.key"
        return QueueSettings(redis_url=url, redis_tls_ca=self.ca, redis_tls_cert=certificate, redis_tls_key=key)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Terminator(socketserver.ThreadingTCPServer):
    """Terminates TLS in front of a server; `wire` has the bytes received from clients."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.port, self.context, self.wire = port, context, list[bytes]()
        self.stopping = threading.Event()


class Connection(socketserver.BaseRequestHandler):
    """One client connection of a Terminator."""

    server: Terminator

    def handle(self) -> None:
        """Forward bytes in both directions until one side closes."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.server.context.wrap_bio(incoming, outgoing, server_side=True)
        with socket.create_connection(("127.0.0.1", self.server.port)) as backend, suppress(OSError):
            while not self.server.stopping.is_set():
                ready = select.select([self.request, backend], [], [], 0.1)[0]
                if not ready:
                    continue
                if backend in ready:
                    if not (answer := backend.recv(65536)):
                        return
                    tls.write(answer)
                elif not (sent := self.request.recv(65536)):
                    return
                else:
                    self.server.wire.append(sent)
                    incoming.write(sent)
                    self._decrypt(tls, outgoing, backend)
                self.request.sendall(outgoing.read())

    def _decrypt(self, tls: ssl.SSLObject, outgoing: ssl.MemoryBIO, backend: socket.socket) -> None:
        try:
            tls.do_handshake()
            while plain := tls.read(65536):
                backend.sendall(plain)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.request.sendall(outgoing.read())  # the alert with the reason
            raise


@contextmanager
def terminating(port: int, context: ssl.SSLContext) -> Iterator[Terminator]:
    """Run a TLS server in front of a port until the block ends."""
    with Terminator(port, context) as terminator:
        thread = threading.Thread(target=terminator.serve_forever)
        thread.start()
        yield terminator
        terminator.stopping.set()
        terminator.shutdown()
        thread.join()


@pytest.fixture
def acl_user(valkey: RunningServer) -> str:
    """Create a user whose password must be encoded in an address; return `user:password`, encoded."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        client.acl_setuser(
            USER, enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], channels=["*"], categories=["+@all"]
        )
    return f"{USER}:{quote(PASSWORD, safe='')}"


def every_client_works(settings: QueueSettings) -> None:
    """Send a wake-up and receive it as Celery does; publish an ended job and receive it as the API does."""
    with Waker(settings) as waker, connect_redis(settings) as client:
        waker.wake(BULK)
        wait_until(lambda: client.llen(queue_name(BULK)))
    assert received_by_celery(settings) == [[[Lane.BULK], {}, {}]]
    asyncio.run(_receives_an_end(settings))


def received_by_celery(settings: QueueSettings) -> list[object]:
    app, received = celery_app(settings, BULK.model), list[object]()

    def take(body: object, message: object) -> None:
        message.ack()  # type: ignore[attr-defined]  # kombu has no types here
        received.append(body)

    with (
        app.connection_for_read() as connection,
        Consumer(connection, queues=app.conf.task_queues, callbacks=[take], accept=["json"]),
    ):
        while not received:
            connection.drain_events(timeout=10)
    app.close()
    return received


async def _receives_an_end(settings: QueueSettings) -> None:
    waiter, job = JobWaiter(settings), uuid4()

    async def read(only_ended: bool) -> bool | None:
        return job in waiter._ended or (None if only_ended else False)

    notifier = Notifier(settings)
    thread = threading.Thread(target=notifier.run)
    thread.start()
    async with waiter.open():
        waiting = asyncio.create_task(waiter.wait(job, 20, read))
        while not waiting.done():
            notifier.notify([job])
            await asyncio.wait([waiting], timeout=0.05)
        assert await waiting
    notifier.close()
    thread.join()


def test_rediss_sends_nothing_in_clear_text(valkey: RunningServer, authority: Authority, acl_user: str) -> None:
    port = urlsplit(valkey.url).port or 0
    with terminating(port, authority.server_context()) as terminator:
        every_client_works(authority.settings(f"rediss://{acl_user}@localhost:{terminator.server_address[1]}/0"))
    wire = b"".join(terminator.wire)
    assert len(wire) > 5_000
    assert {data[:1] for data in terminator.wire if data[:1] == b"*"} == set()  # the first byte of a Redis command
    for secret in (PASSWORD, USER, "AUTH", "verdict.default.bulk", "BRPOP"):
        assert secret.encode() not in wire


# redis-py leaves a socket whose handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_with_a_certificate_of_another_authority_gets_nothing(
    valkey: RunningServer, authority: Authority, acl_user: str, tmp_path: Path
) -> None:
    port, other = urlsplit(valkey.url).port or 0, Authority(tmp_path)
    with terminating(port, other.server_context()) as terminator:
        settings = authority.settings(f"rediss://{acl_user}@localhost:{terminator.server_address[1]}/0")
        app = celery_app(settings, BULK.model)
        with app.connection_for_read() as connection, pytest.raises(OperationalError, match="CERTIFICATE_VERIFY"):
            connection.ensure_connection(max_retries=1)
        with connect_redis(settings) as client, pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY"):
            client.ping()
        app.close()
    assert PASSWORD.encode() not in b"".join(terminator.wire)
    gc.collect()


def test_a_redis_with_tls_of_its_own(authority: Authority, tmp_path: Path) -> None:
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if server is None:
        pytest.skip("there is no redis-server or valkey-server with TLS here")
    port, folder = embedded.free_port(), authority.folder
    options = {"port": "0", "tls-port": str(port), "bind": "127.0.0.1", "save": "", "requirepass": "secret"}
    options |= {"tls-cert-file": f"{folder}/server.pem", "tls-key-file": f"{folder}/server.key"}
    options |= {"tls-ca-cert-file": str(authority.ca), "dir": str(tmp_path)}
    command = [server, *(part for name, value in options.items() for part in (f"--{name}", value))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            settings = authority.settings(f"rediss://:secret@localhost:{port}/0")
            with connect_redis(settings) as client:
                wait_until(lambda: _answers(client))
            every_client_works(settings)
        finally:
            process.terminate()


def _answers(client: redis.Redis) -> bool:
    with suppress(redis.ConnectionError):
        return bool(client.ping())
    return False


def test_a_socket_file_and_another_database(valkey: RunningServer, tmp_path: Path) -> None:
    binary = Path(f"/proc/{valkey.pid}/exe").resolve()
    path = tmp_path / "valkey.sock"
    command = [str(binary), "--port", "0", "--unixsocket", str(path), "--save", "", "--requirepass", "secret"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        try:
            wait_until(path.exists)
            settings = QueueSettings(redis_url=f"unix://:secret@{path}?db=3")
            every_client_works(settings)
            with connect_redis(settings) as client:
                assert client.connection_pool.connection_kwargs["db"] == 3
        finally:
            process.terminate()


def test_a_user_with_any_password_over_plain_tcp(valkey: RunningServer, acl_user: str) -> None:
    to = urlsplit(valkey.url)
    every_client_works(QueueSettings(redis_url=f"redis://{acl_user}@{to.hostname}:{to.port}/2"))


@pytest.mark.parametrize("kind", [QueueSettings, RunSettings])
@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://:secret@host",
        "redis://",
        "redis://:sec/ret@host:6379/0",
        "redis://:sec#ret@host",
        "redis://:secret@host:port",
        "rediss://:secret@host:0",
        "redis://:secret@host/zero",
        "unix://",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(kind: Callable[..., object], url: str) -> None:
    with pytest.raises(ValidationError, match=r"must (begin|look)") as caught:
        kind(redis_url=url)
    said = str(caught.value.errors(include_input=False, include_context=False, include_url=False))
    assert "sec" not in said


def test_certificates_without_tls_are_refused(authority: Authority) -> None:
    with pytest.raises(ValidationError, match="REDIS_URL must begin with rediss"):
        QueueSettings(redis_url="redis://host", redis_tls_ca=authority.ca)
    with pytest.raises(ValidationError, match="set REDIS_TLS_CERT as well"):
        QueueSettings(redis_url="rediss://host", redis_tls_key=authority.folder / "client.key")
    with pytest.raises(ValidationError, match="not point to a file"):
        QueueSettings(redis_url="rediss://host", redis_tls_ca=authority.folder / "missing.pem")
