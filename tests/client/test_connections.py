"""Proxies, exceptions to them and certificates: chosen as curl does, and never a traceback."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server

import httpx
import pytest
import trustme

from tests.client.conftest import Ask
from tests.client.test_troubles import DONE
from tests.client.wire import scripted
from verdict import AsyncClient, Client, NotConnected, NotSecure, ServiceUnreachable, WrongEnvironment
from verdict.connections import is_exempt, is_loopback, route

SERVICE = "http://verdict.example.com:8000"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "VERDICT_URL")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Remove proxies and certificates from the environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("url", "no_proxy", "exempt"),
    [
        ("http://a.example.com", "*", True),
        ("http://a.example.com", "b.example.com, example.com", True),
        ("http://a.example.com", ".example.com", True),
        ("http://a.example.com", "*.example.com", True),
        ("http://a.example.com", "EXAMPLE.com.", True),
        ("http://aexample.com", "example.com", False),
        ("http://a.example.com:8000", "a.example.com:8000", True),
        ("http://a.example.com:8000", "a.example.com:80", False),
        ("http://a.example.com", "a.example.com:80", True),
        ("https://a.example.com", "https://a.example.com", True),
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "10.1.2.3", True),
        ("http://10.1.2.3:8000", "10.1.2.3:8000", True),
        ("http://[fd00::5]", "fd00::/8", True),
        ("http://[fd00::5]", "[fd00::]/8", True),
        ("http://[fd00::5]", "fd00::5", True),
        ("http://[fd00::5]", "[fd00::5]", True),
        ("http://[fd00::5]:8000", "[fd00::5]:8000", True),
        ("http://[fd00::5]:8000", "[fd00::5]:80", False),
        ("http://[fe80::5]", "fd00::/8", False),
        ("http://[fd00::5]", "10.0.0.0/8", False),
        ("http://a.example.com", "10.0.0.0/99, fd00::/999, [, ], ://, :80, .,, ::1", False),
        ("http://a.example.com", "", False),
    ],
)
def test_no_proxy_is_read_as_curl_reads_it(url: str, no_proxy: str, exempt: bool) -> None:
    assert is_exempt(httpx.URL(url), no_proxy) == exempt


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),  # noqa: S104  as an address to connect to
        ("10.0.0.1", False),
        ("example.com", False),
        ("notlocalhost", False),
    ],
)
def test_this_machine_is_recognised(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_request_goes_through_the_proxy(ask: Ask, environment: pytest.MonkeyPatch, variable: str) -> None:
    with scripted(DONE) as (proxy, asked):
        environment.setenv(variable, proxy.removeprefix("http://") if variable.isupper() else proxy)
        assert ask(SERVICE, "job", "0199").status == "succeeded"
    assert asked[0].line == f"GET {SERVICE}/v1/jobs/0199 HTTP/1.1"


def test_loopback_is_never_sent_through_a_proxy(ask: Ask, environment: pytest.MonkeyPatch) -> None:
    with scripted(DONE) as (url, _), scripted(DONE) as (proxy, asked):
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            environment.setenv(variable, proxy)
        assert ask(url, "job", "0199").status == "succeeded"
    assert asked == []


def test_a_proxy_that_is_away_is_named_without_its_password(ask: Ask, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:9")
    with pytest.raises(NotConnected) as error:
        ask(SERVICE, "job", "0199")
    assert str(error.value) == f"nothing answers at {SERVICE} through the proxy http://127.0.0.1:9"


def test_a_proxy_that_refuses_is_named(ask: Ask, environment: pytest.MonkeyPatch) -> None:
    with scripted(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n") as (proxy, _):
        environment.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(
            ServiceUnreachable, match=r"the proxy did not connect to https://verdict\.example\.com.*407"
        ):
            ask("https://verdict.example.com", "job", "0199", retry_seconds=0)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("socks5://proxy:1080", "ALL_PROXY names a SOCKS proxy, which needs the package socksio"),
        ("socks5h://proxy:1080", "or connect directly with NO_PROXY=verdict.example.com"),
        ("socks://me:secret@proxy:1080", "ALL_PROXY is not an http://, https:// or socks5:// address"),
        ("socks4://proxy", "ALL_PROXY is not an http://, https:// or socks5:// address"),
        ("http://proxy:port", "ALL_PROXY is not an http://, https:// or socks5:// address"),
        ("http://[::1", "ALL_PROXY is not an http://, https:// or socks5:// address"),
        ("http://", "ALL_PROXY names no host"),
    ],
)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_proxy_that_cannot_be_used_is_one_line(
    environment: pytest.MonkeyPatch, client: type[Client | AsyncClient], value: str, said: str
) -> None:
    environment.setenv("ALL_PROXY", value)
    environment.setattr("verdict.connections.find_spec", lambda _: None)
    with pytest.raises(WrongEnvironment) as error:
        client(SERVICE)
    assert said in str(error.value)
    assert "secret" not in str(error.value)


def test_the_password_of_an_address_is_not_shown() -> None:
    assert str(route("http://me:secret@verdict.example.com:8000/")) == SERVICE


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_one_line(
    environment: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: str | None
) -> None:
    file = tmp_path / "authorities.pem"
    if content:
        file.write_text(content)
    environment.setenv(variable, str(file))
    if variable == "SSL_CERT_DIR":  # OpenSSL reads the folder later, certificate by certificate
        Client("https://verdict.example.com").close()
        return
    with pytest.raises(WrongEnvironment, match=f"SSL_CERT_FILE={file}: not a readable PEM file"):
        Client("https://verdict.example.com")
    Client(SERVICE).close()  # plain HTTP does not read it


@contextmanager
def tls_server(context: ssl.SSLContext | None, answer: bytes = DONE) -> Iterator[int]:
    """Answer each connection once, without TLS if `context` is None; yield the port."""
    with create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        if context:
                            connection = context.wrap_socket(connection, server_side=True)
                        connection.recv(65_536)
                        connection.sendall(answer)
                        connection.close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(2)
            thread.join()


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return the context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, environment: pytest.MonkeyPatch) -> trustme.CA:
    """Return the authority after naming it in SSL_CERT_FILE."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    environment.setenv("SSL_CERT_FILE", str(file))
    return authority


def test_a_private_authority_is_trusted_when_ssl_cert_file_names_it(ask: Ask, trusted: trustme.CA) -> None:
    with tls_server(serving(trusted.issue_cert("localhost"))) as port:
        assert ask(f"https://localhost:{port}", "job", "0199").status == "succeeded"


def test_an_unknown_authority_is_named(ask: Ask, authority: trustme.CA) -> None:
    with tls_server(serving(authority.issue_cert("localhost"))) as port, pytest.raises(NotSecure) as error:
        ask(f"https://localhost:{port}", "job", "0199")
    assert str(error.value) == (
        f"no TLS connection to https://localhost:{port}: its certificate comes from an authority unknown here; "
        "name the authority's PEM file in SSL_CERT_FILE"
    )


def test_a_self_signed_certificate_is_named(ask: Ask, authority: trustme.CA, tmp_path: Path) -> None:
    own = tmp_path / "self-signed.pem"
    own.write_bytes(authority.private_key_pem.bytes() + authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    with tls_server(context) as port, pytest.raises(NotSecure) as error:
        ask(f"https://localhost:{port}", "job", "0199")
    assert str(error.value).endswith("its certificate is self-signed; to trust it, name its PEM file in SSL_CERT_FILE")


def test_a_certificate_of_another_host_is_named(ask: Ask, trusted: trustme.CA) -> None:
    certificate = trusted.issue_cert("other.example.com")
    for host in ("localhost", "127.0.0.1"):
        with (
            tls_server(serving(certificate)) as port,
            pytest.raises(NotSecure, match="its certificate is for another host"),
        ):
            ask(f"https://{host}:{port}", "job", "0199")


def test_a_certificate_that_has_expired_or_is_not_valid_yet_is_named(ask: Ask, trusted: trustme.CA) -> None:
    past = trusted.issue_cert("localhost", not_before=datetime(2000, 1, 1), not_after=datetime(2001, 1, 1))  # noqa: DTZ001
    with tls_server(serving(past)) as port, pytest.raises(NotSecure, match="its certificate has expired"):
        ask(f"https://localhost:{port}", "job", "0199")
    tomorrow = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    future = trusted.issue_cert("localhost", not_before=tomorrow, not_after=tomorrow + timedelta(days=1))
    with tls_server(serving(future)) as port, pytest.raises(NotSecure, match="not valid yet; check the clock"):
        ask(f"https://localhost:{port}", "job", "0199")


def test_a_failed_handshake_is_not_retried(ask: Ask) -> None:
    with tls_server(None) as port, pytest.raises(NotSecure, match="the server speaks plain HTTP; use http://"):
        ask(f"https://localhost:{port}", "job", "0199", retry_seconds=3600)


def test_tls_behind_an_http_address_is_named(ask: Ask) -> None:
    alert = b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"  # fatal, record overflow
    with scripted(alert) as (url, _), pytest.raises(ServiceUnreachable, match=f"{url} speaks TLS: use https://"):
        ask(url, "job", "0199", retry_seconds=0)
