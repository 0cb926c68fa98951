"""Every error of the client, as one tree; `unreachable` is the only place that translates httpx's errors.

VerdictError
├── WrongAddress         the URL is not the address of a service
├── WrongEnvironment     a proxy or certificate variable of the environment cannot be used
├── UnknownFormat        the name of a file does not tell its format
├── ServiceUnreachable   no answer: whether the request was served is unknown
│   └── NotConnected     no connection: the request was not served
│       └── NotSecure    TLS failed: a certificate is not trusted, or the server speaks plain HTTP
├── NotVerdict           the server answered, but not as Verdict does
├── DownloadChanged      the results differ from the part that was already written
└── Refused              the service refuses the request and gives the reason

A wrong argument raises TypeError or ValueError, as in Python itself, before anything is sent.
"""

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

BUSY = frozenset({429, 502, 503})  # worth a retry: overload, a proxy without its server, a database that is away

_NEW_AUTHORITY = "its certificate comes from an authority unknown here; name the authority's PEM file in SSL_CERT_FILE"
# OpenSSL's verification codes, by the reasons that occur in practice.
_CERTIFICATE_PROBLEMS = {
    9: "its certificate is not valid yet; check the clock of this machine",
    10: "its certificate has expired",
    18: "its certificate is self-signed; to trust it, name its PEM file in SSL_CERT_FILE",
    19: _NEW_AUTHORITY,
    20: _NEW_AUTHORITY,
    21: _NEW_AUTHORITY,
    62: "its certificate is for another host",
    64: "its certificate is for another host",
}
_PLAIN_HTTP = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH")


class VerdictError(Exception):
    """The service did not do the requested work; the message is one complete line."""

    #: Seconds after which a retry may succeed; None if no retry can.
    retry_after: float | None = None


class WrongAddress(VerdictError):
    """The URL is not the address of a service."""


class WrongEnvironment(VerdictError):
    """HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or SSL_CERT_DIR has a value that cannot be used."""


class UnknownFormat(VerdictError):
    """The name of a file does not tell its format."""


class ServiceUnreachable(VerdictError):
    """No answer came, or only a part of it; whether the request was served is unknown."""

    retry_after: float | None = 0.0


class NotConnected(ServiceUnreachable):
    """No connection could be made, so the request was not served."""


class NotSecure(NotConnected):
    """No TLS connection could be made, so nothing was sent; a retry does not help."""

    retry_after = None


class NotVerdict(VerdictError):
    """The server at this address is not Verdict, or is a version with another API."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(
            f"{response.url} answered {response.status_code}, but not as Verdict does: is the address right?"
        )
        self.retry_after = _retry_after(response)


class DownloadChanged(VerdictError):
    """The results differ from the part already written to a stream, which cannot be rewound."""


class Refused(VerdictError):
    """The service refused the request (RFC 9457); `errors` names the fields."""

    def __init__(self, response: httpx.Response, problem: dict[str, Any]) -> None:
        self.status = response.status_code
        self.type = str(problem.get("type", ""))
        self.title = str(problem["title"])
        self.detail = str(problem.get("detail") or "")
        self.errors: list[dict[str, str]] = list(problem.get("errors") or ())
        self.request_id: str | None = problem.get("request_id")
        self.retry_after = _retry_after(response)
        super().__init__(self._in_one_line())

    def _in_one_line(self) -> str:
        fields = [f"{each.get('pointer', '')} {each.get('detail', '')}".strip() for each in self.errors]
        return "; ".join([": ".join(filter(None, [self.title, self.detail])), *fields])


def trouble(response: httpx.Response) -> VerdictError | None:
    """Return the error that a complete response stands for; None for a 2xx."""
    if response.is_success:
        return None
    try:
        problem = response.json()
    except ValueError:
        problem = None
    is_problem = isinstance(problem, dict) and "title" in problem
    return Refused(response, problem) if is_problem else NotVerdict(response)


def unreachable(error: httpx.HTTPError, where: str) -> ServiceUnreachable:
    """Translate an error that httpx raised while it sent or received; the result has it as its cause.

    `where` is the address, with the proxy on the way if there is one.
    """
    reason = str(error) or type(error).__name__
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        tls = _tls_error(error)
        ours: ServiceUnreachable = (
            NotSecure(f"no TLS connection to {where}: {_tls_reason(tls)}")
            if tls
            else NotConnected(f"nothing answers at {where}")
        )
    elif isinstance(error, httpx.ProxyError):
        ours = ServiceUnreachable(f"the proxy did not connect to {where}: {reason}")
    elif isinstance(error, httpx.RemoteProtocolError) and "\\x15\\x03" in reason:  # a TLS alert in place of HTTP
        ours = ServiceUnreachable(f"{where} speaks TLS: use https:// in its address")
    else:
        ours = ServiceUnreachable(f"the connection to {where} broke: {reason}")
    ours.__cause__ = error
    return ours


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return the error of the TLS library among the causes of `error`."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_PROBLEMS.get(error.verify_code, f"its certificate is not valid: {error.verify_message}")
    reason = error.reason or ""
    if any(name in reason for name in _PLAIN_HTTP):
        return "the server speaks plain HTTP; use http:// in its address"
    return reason.replace("_", " ").lower() or "the server closed the connection during the handshake"


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of `Retry-After` (a number or a date); 0 if a busy server does not say; else None."""
    if response.status_code not in BUSY:
        return None
    value = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value) if value.isdecimal() else _seconds_until(parsedate_to_datetime(value)))
    except ValueError:
        return 0.0


def _seconds_until(date: datetime) -> float:
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)  # "-0000" is read as a naive date
    return (aware - datetime.now(UTC)).total_seconds()
