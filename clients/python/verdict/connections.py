"""How a client reaches a service: its address, and the proxy and the certificates that the environment names.

httpx reads the same variables, but raises for an IPv6 network in NO_PROXY, and sends loopback through a proxy.
"""

import os
import re
import ssl
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.request import getproxies

import httpx

from verdict.errors import WrongAddress, WrongEnvironment

DEFAULT_URL = "http://127.0.0.1:8000"
PORTS = {"http": 80, "https": 443}


class Route(NamedTuple):
    """The way to a service: `verify` and `proxy` are arguments of httpx's transports."""

    url: httpx.URL
    verify: ssl.SSLContext | bool
    proxy: httpx.Proxy | None

    def __str__(self) -> str:
        """Return the address for messages, without passwords."""
        address = str(self.url.copy_with(username=None, password=None)).rstrip("/")
        return f"{address} through the proxy {self.proxy.url}" if self.proxy else address


def route(url: str | None) -> Route:
    """Return the way to `url`, else to VERDICT_URL, else to http://127.0.0.1:8000.

    Raises:
        WrongAddress: `url` is not the address of a service.
        WrongEnvironment: a proxy or certificate variable cannot be used.
    """
    address = _address(url)
    proxy = _proxy(address)
    is_encrypted = "https" in {address.scheme, proxy.url.scheme if proxy else ""}
    # To load the authorities takes 20 ms, which plain HTTP does not need.
    verify: ssl.SSLContext | bool = _certificates() if is_encrypted else False
    if proxy and isinstance(verify, ssl.SSLContext) and proxy.url.scheme == "https":
        proxy.ssl_context = verify
    return Route(address, verify, proxy)


def _address(url: object) -> httpx.URL:
    given = url or os.environ.get("VERDICT_URL") or DEFAULT_URL
    if not isinstance(given, str):
        raise TypeError(f"url must be a str, not {type(given).__name__}")
    try:
        address = httpx.URL(given)
    except httpx.InvalidURL as error:
        raise WrongAddress(f"{given!r} is not an address of a service: {error}") from error
    if address.scheme not in PORTS or not address.host:
        raise WrongAddress(f"{given!r} is not an address; one looks like {DEFAULT_URL}")
    return address


def _proxy(url: httpx.URL) -> httpx.Proxy | None:
    """Return the proxy for `url`, as curl chooses it; none for this machine itself."""
    variables = getproxies()
    name = url.scheme if variables.get(url.scheme) else "all"
    value = variables.get(name)
    if not value or is_loopback(url.host) or is_exempt(url, variables.get("no", "")):
        return None
    variable = f"{name}_proxy".upper()
    try:
        proxy = httpx.Proxy(value if "://" in value else f"http://{value}")
    except (ValueError, httpx.InvalidURL) as error:
        # The value is not repeated: it may hold a password.
        raise WrongEnvironment(f"{variable} is not an http://, https:// or socks5:// address of a proxy") from error
    if not proxy.url.host:
        raise WrongEnvironment(f"{variable} names no host; a value looks like http://proxy.example.com:3128")
    if proxy.url.scheme.startswith("socks") and not find_spec("socksio"):
        raise WrongEnvironment(
            f"{variable} names a SOCKS proxy, which needs the package socksio: pip install 'httpx[socks]'; "
            f"or connect directly with NO_PROXY={url.host}"
        )
    return proxy


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, which no proxy reaches."""
    address = _ip(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback or address.is_unspecified


def is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    """Tell whether NO_PROXY names the host: `*`, names with their subdomains, addresses, networks, each with a port.

    An entry that is none of these exempts nothing.
    """
    return any(_exempts(entry.strip().lower(), url) for entry in no_proxy.split(",") if entry.strip())


def _exempts(entry: str, url: httpx.URL) -> bool:
    name = entry.rpartition("://")[2]
    if name == "*":
        return True
    network, address = _network(name), _ip(url.host)
    if network:
        return address is not None and address.version == network.version and address in network
    if with_port := re.fullmatch(r"(.+):(\d+)", name):
        return int(with_port[2]) == (url.port or PORTS[url.scheme]) and _exempts(with_port[1], url)
    domain = name.removeprefix("*").strip(".")
    return bool(domain) and (url.host == domain or url.host.endswith(f".{domain}"))


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """Read `10.0.0.0/8`, `10.1.2.3`, `fd00::/8`, `[fd00::]/8` or `[::1]`; None for anything else."""
    try:
        return ip_network(re.sub(r"^\[(.*)\](?=/|$)", r"\1", text), strict=False)
    except ValueError:
        return None


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _certificates() -> ssl.SSLContext:
    """Return the authorities of SSL_CERT_FILE or SSL_CERT_DIR, else those of certifi."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        variable = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        value = os.environ.get(variable, "")
        raise WrongEnvironment(f"{variable}={value}: not a readable PEM file of certificates") from error
