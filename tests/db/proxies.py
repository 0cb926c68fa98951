"""Proxies in front of a real PostgreSQL: a connection pooler, and a server with TLS."""

import os
import select
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import trustme

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
READY = b"Z\0\0\0\5I"

T = TypeVar("T", bound=socketserver.BaseServer)


@contextmanager
def serving(server: T) -> Iterator[T]:
    """Run a server in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def message(kind: bytes, *parts: bytes) -> bytes:
    """Return a message of the protocol: type, length, content."""
    content = b"".join(parts)
    return kind + struct.pack("!i", 4 + len(content)) + content


def read_exactly(source: socket.socket, size: int) -> bytes:
    """Read `size` bytes; EOFError at the end."""
    data = b""
    while len(data) < size:
        if not (more := source.recv(size - len(data))):
            raise EOFError
        data += more
    return data


def read_message(source: socket.socket) -> bytes:
    """Read a whole message with type and length."""
    head = read_exactly(source, 5)
    return head + read_exactly(source, struct.unpack("!i", head[1:])[0] - 4)


def read_startup(source: socket.socket) -> tuple[int, bytes]:
    """Read the first message, which has no type: its code and content."""
    size, code = struct.unpack("!ii", read_exactly(source, 8))
    return code, read_exactly(source, size - 8)


@dataclass(frozen=True, slots=True)
class Backend:
    """A connection to PostgreSQL, logged in by psycopg; its socket is used by the pooler."""

    connection: "psycopg.Connection[Any]"
    wire: socket.socket


@dataclass
class Pool:
    """The backends of a pooler: the one used last is given first, as PgBouncer does."""

    url: str
    options: str
    idle: list[Backend] = field(default_factory=list)
    all: list[Backend] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Backend:
        """Return an idle backend, or a new one."""
        with self.lock:
            if self.idle:
                return self.idle.pop()
            connection = psycopg.connect(self.url, options=self.options, autocommit=True)
            wire = socket.socket(fileno=os.dup(connection.fileno()))
            wire.setblocking(True)
            self.all.append(Backend(connection, wire))
            return self.all[-1]

    def close(self) -> None:
        """Close every backend."""
        for backend in self.all:
            backend.wire.close()
            backend.connection.close()


class Pooler(socketserver.ThreadingTCPServer):
    """A pooler without authentication. With `per_transaction`, each transaction may get another backend."""

    daemon_threads = True

    def __init__(self, pool: Pool, *, per_transaction: bool, refuses_options: bool) -> None:
        super().__init__(("127.0.0.1", 0), PoolerClient)
        self.pool, self.per_transaction, self.refuses_options = pool, per_transaction, refuses_options


class PoolerClient(socketserver.BaseRequestHandler):
    """One client of a pooler."""

    server: Pooler

    def handle(self) -> None:
        """Log the client in, and forward its statements."""
        with suppress(EOFError, OSError):
            code, content = read_startup(self.request)
            while code in {SSL_REQUEST, GSS_REQUEST}:
                self.request.sendall(b"N")
                code, content = read_startup(self.request)
            if self.server.refuses_options and b"\0options\0" in content:
                said = b"unsupported startup parameter: options"
                self.request.sendall(message(b"E", b"SFATAL\0VFATAL\0C08P01\0M", said, b"\0\0"))
                return
            key = message(b"K", struct.pack("!i", 7), os.urandom(4))
            settings = {b"server_version": b"18.0", b"client_encoding": b"UTF8", b"standard_conforming_strings": b"on"}
            told = b"".join(message(b"S", name, b"\0", value, b"\0") for name, value in settings.items())
            self.request.sendall(message(b"R", struct.pack("!i", 0)) + told + key + READY)
            self._forward()

    def _forward(self) -> None:
        backend: Backend | None = None
        try:
            while (sent := read_message(self.request))[:1] != b"X":
                backend = backend or self.server.pool.take()
                backend.wire.sendall(sent)
                if sent[:1] in b"QS":
                    answer = b""
                    while not answer.startswith(b"Z"):
                        answer = read_message(backend.wire)
                        self.request.sendall(answer)
                    if answer == READY and self.server.per_transaction:
                        self.server.pool.idle.append(backend)
                        backend = None
        finally:
            if backend:
                self.server.pool.idle.append(backend)


@contextmanager
def pooler(url: str, *, per_transaction: bool, options: str = "", refuses_options: bool = False) -> Iterator[int]:
    """Run a pooler whose backends have these session options, whatever its clients ask for; yields its port."""
    pool = Pool(url, options)
    server = Pooler(pool, per_transaction=per_transaction, refuses_options=refuses_options)
    with serving(server):
        yield server.server_address[1]
    pool.close()


class TlsServer(socketserver.ThreadingTCPServer):
    """Terminates the TLS of PostgreSQL's protocol in front of a server; `wire` has the bytes received from clients."""

    daemon_threads = True

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), TlsClient)
        authority, self.port, self.wire = trustme.CA(), port, list[bytes]()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(self.context)


class TlsClient(socketserver.BaseRequestHandler):
    """One client of a TlsServer."""

    server: TlsServer

    def handle(self) -> None:
        """Accept TLS, and forward bytes in both directions until one side closes."""
        with suppress(EOFError, OSError):
            code, _ = read_startup(self.request)
            while code == GSS_REQUEST:
                self.request.sendall(b"N")
                code, _ = read_startup(self.request)
            assert code == SSL_REQUEST, "a client without TLS"
            self.request.sendall(b"S")
            with socket.create_connection(("127.0.0.1", self.server.port)) as backend:
                self._forward(backend)

    def _forward(self, backend: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.server.context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            ready = select.select([self.request, backend], [], [], 20)[0]
            if backend in ready:
                if not (answer := backend.recv(65536)):
                    return
                tls.write(answer)
            elif sent := self.request.recv(65536):
                self.server.wire.append(sent)
                incoming.write(sent)
                self._decrypt(tls, backend.sendall)
            else:
                return
            self.request.sendall(outgoing.read())

    def _decrypt(self, tls: ssl.SSLObject, forward: Callable[[bytes], None]) -> None:
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
            while plain := tls.read(65536):
                forward(plain)
