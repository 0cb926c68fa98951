"""A TCP server whose answers, byte by byte, and cuts of connections a test chooses."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Asked:
    """A received request."""

    line: str
    headers: dict[str, str]
    body: bytes


def answer(status: int = 200, body: bytes | str = b"{}", **headers: str) -> bytes:
    """Return a response with its length; `retry_after="1"` becomes `retry-after: 1`."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"content-length": str(len(content))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content


@contextmanager
def serving(reply: Callable[[Asked], bytes]) -> Iterator[tuple[str, list[Asked]]]:
    """Answer each request, on its own connection, with the bytes of `reply`; yield the URL and the requests."""
    asked: list[Asked] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, reply, asked))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def scripted(*answers: bytes) -> Iterator[tuple[str, list[Asked]]]:
    """Give these answers in turn, the last one repeatedly; b"" closes the connection without an answer."""
    left = list(answers)
    with serving(lambda _: left.pop(0) if len(left) > 1 else left[0]) as served:
        yield served


def cut_short(url: str, asked: Asked, most: int) -> bytes:
    """Return the answer of the server at `url`, up to `most` bytes of its body."""
    host, _, port = url.removeprefix("http://").partition(":")
    headers = asked.headers | {"connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((host, int(port))) as upstream, upstream.makefile("rb") as stream:
        upstream.sendall(f"{asked.line}\r\n{head}\r\n".encode() + asked.body)
        whole = stream.read()
    return whole[: whole.index(b"\r\n\r\n") + 4 + most]


def _serve(server: socket.socket, reply: Callable[[Asked], bytes], asked: list[Asked]) -> None:
    with suppress(OSError):  # the listening socket was shut down
        while True:
            connection, _ = server.accept()
            with closing(connection), suppress(ConnectionError), connection.makefile("rb") as stream:
                asked.append(_read(stream))
                connection.sendall(reply(asked[-1]))


def _read(stream: BinaryIO) -> Asked:
    line = stream.readline().decode().strip()
    pairs = (text.partition(":") for text in iter(lambda: stream.readline().decode().strip(), ""))
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        return Asked(line, headers, _chunked(stream))
    return Asked(line, headers, stream.read(int(headers.get("content-length", "0"))))


def _chunked(stream: BinaryIO) -> bytes:
    body = b""
    while size := int(stream.readline() or b"0", 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body
