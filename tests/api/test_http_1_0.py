"""HTTP/1.0 clients get no chunked encoding: the end of the connection ends an answer of unknown length."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from api import formats
from tests.api import steps


def fetch(client: httpx.Client, path: str, version: str = "1.0", method: str = "GET") -> tuple[bytes, bytes]:
    """Send a request on a connection of its own, and return the head and the body of the answer."""
    to = urlsplit(str(client.base_url))
    with socket.create_connection((to.hostname, to.port), timeout=20) as connection:
        request = f"{method} {path} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
        return head.lower(), body


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("form", steps.STREAMS)
def test_a_stream_ends_with_the_connection(client: httpx.Client, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(formats, "NDJSON_ROWS", 2)
    job = steps.post(client, *"abcde")
    path = f"{job['urls']['results']}?format={form}"
    head, body = fetch(client, path)
    assert head.startswith(b"http/1.1 200 ")
    assert b"transfer-encoding" not in head
    assert b"content-length" not in head
    assert b"connection: close" in head
    assert body == client.get(path).content
    assert b"transfer-encoding: chunked" in fetch(client, path, version="1.1")[0]


def test_an_answer_of_known_length_says_it(client: httpx.Client) -> None:
    head, body = fetch(client, "/v1/jobs")
    assert f"content-length: {len(body)}".encode() in head
    assert b"transfer-encoding" not in head
    assert fetch(client, "/v1/jobs", method="HEAD")[1] == b""
    assert fetch(client, "/v1/nothing")[0].startswith(b"http/1.1 404 ")


@pytest.mark.usefixtures("worker")
def test_an_event_stream_ends_with_the_connection(client: httpx.Client) -> None:
    job = steps.post(client, "a film")
    head, body = fetch(client, job["urls"]["events"])
    assert b"transfer-encoding" not in head
    assert body.startswith(b"event: end\n")


@pytest.mark.usefixtures("worker")
def test_a_stream_that_fails_resets_the_connection(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    job = steps.post(client, "a film")
    monkeypatch.setattr(formats, "_must_be_unchanged", lambda *_: 1 / 0)
    with pytest.raises(ConnectionResetError):
        fetch(client, f"{job['urls']['results']}?format=csv")
