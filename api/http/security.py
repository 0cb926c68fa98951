"""Refuse requests for other hosts, and requests that a browser sends for pages of other sites.

A page of any site can send requests to a service on its visitor's machine or network. It can also read the answers if
its own host name resolves to that service (DNS rebinding), since the browser then takes both for one site. So a
request must name a host of this service, and must not come from another site, unless CORS_ORIGINS lists it. Programs
other than browsers send neither `Origin` nor `Sec-Fetch-Site`.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import CrossSiteRequest, HostNotAllowed, InvalidHost, ServiceError
from api.http.security_headers import with_defaults
from api.problems import problem
from settings import ApiSettings

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_][a-z0-9_.-]{0,252})(?::(\d{0,5}))?", re.IGNORECASE)
_ORIGIN = re.compile(r"(https?)://([^/@\s]+)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_OWN_SITE = {"same-origin", "none"}  # `none`: the user typed the address, or opened a bookmark


class AllowedHosts:
    """The host names of this service (loopback, `HOST`, `ALLOWED_HOSTS`, every IP address), and the origins allowed.

    An IP address is safe, since DNS rebinding needs a name.
    """

    def __init__(self, settings: ApiSettings) -> None:
        given = {each.lower().rstrip(".") for each in settings.allowed_host_names}
        self._any = "*" in given
        self._suffixes = tuple(each[1:] for each in given if each.startswith("*."))
        self.configured = frozenset(each for each in given if not each.startswith("*"))
        self._names = self.configured | {"localhost", settings.host.lower().rstrip(".")}
        self.cors_origins = settings.allowed_origins

    def __contains__(self, name: str) -> bool:
        """Whether this service answers for a host: a lower-case name or an address, without port."""
        return self._any or name in self._names or name.endswith((".localhost", *self._suffixes)) or _is_address(name)


class Security:
    """ASGI middleware that refuses requests as `check` says, and adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; pass on any other event."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = list(with_defaults(message["headers"]))
            await send(message)

        try:
            check(scope, self._hosts)
        except ServiceError as error:
            await problem(Request(scope), error)(scope, receive, complete)
        else:
            await self._app(scope, receive, complete)


def check(scope: Scope, hosts: AllowedHosts) -> None:
    """Refuse a request for another host, or from a page of another site.

    Raises:
        InvalidHost: `Host` is missing, malformed or repeated.
        HostNotAllowed: `Host` is not a name of this service.
        CrossSiteRequest: A page of another site sent the request.
    """
    given = [value.decode("latin-1").strip() for name, value in scope["headers"] if name == b"host"]
    if not given and scope["http_version"] == "1.0":
        host = ""  # HTTP/1.0 has no Host, and no browser uses it
    elif len(given) == 1 and (found := _HOST.fullmatch(given[0])):
        host = given[0].lower()
        name = found[1].lower().rstrip(".")
        if name not in hosts:
            raise HostNotAllowed(
                f"This service does not answer for the host {name[:100]}."
                " If that is one of its names, add it to ALLOWED_HOSTS."
            )
    else:
        raise InvalidHost
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in _READ}
    if _is_cross_site(headers, scope["method"], host, hosts):
        raise CrossSiteRequest


_READ = {b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest"}


def _is_cross_site(headers: Mapping[str, str], method: str, host: str, hosts: AllowedHosts) -> bool:
    """Whether a page of another site sent a request. Following a link is allowed, since it changes nothing."""
    origin = headers.get("origin")
    if origin is not None and not hosts.cors_origins.isdisjoint({"*", origin.strip().lower()}):
        return False
    site = headers.get("sec-fetch-site")
    if site is not None and site.strip().lower() not in _OWN_SITE:
        follows_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return not (follows_link and method in {"GET", "HEAD"})
    return origin is not None and not _is_own(origin.strip().lower(), host, hosts)


def _is_own(origin: str, host: str, hosts: AllowedHosts) -> bool:
    """Whether an origin is the request's own host or, behind a proxy that changes `Host`, a name in ALLOWED_HOSTS."""
    found = _ORIGIN.fullmatch(origin)
    if not found:
        return False  # `null` or malformed
    suffix = f":{_DEFAULT_PORTS[found[1]]}"
    name = _HOST.fullmatch(found[2])
    same = found[2].removesuffix(suffix) == host.removesuffix(suffix)
    return same or (name is not None and name[1].rstrip(".") in hosts.configured)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
