"""Everything that can go wrong with a service, as one tree; httpx's errors become these in `unreachable` alone.

VerdictError
├── WrongAddress         the URL is none
├── UnknownFormat        a file's name does not tell its format
├── ServiceUnreachable   no answer: whether the request was served is unknown
│   └── NotConnected     nothing listens there: the request was not served
├── NotVerdict           something answered, and not as Verdict does
├── DownloadChanged      the results are others than those that were written so far
└── Refused              the service says no, and why
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

BUSY = frozenset({429, 502, 503})  # worth a repeat: shed, a proxy without its server, broken for now


class VerdictError(Exception):
    """The service did not do what was asked; the message is one line that stands for itself."""

    #: Seconds after which a repeat may succeed; None when it would not.
    retry_after: float | None = None


class WrongAddress(VerdictError):
    """The URL is no address of a service."""


class UnknownFormat(VerdictError):
    """A file's name does not tell its format."""


class ServiceUnreachable(VerdictError):
    """No answer came, or not the whole of it; whether the request was served is unknown."""

    retry_after = 0.0


class NotConnected(ServiceUnreachable):
    """No connection could be made, so the request was not served."""


class NotVerdict(VerdictError):
    """What answers at this address is no Verdict, or one that speaks another version."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(
            f"{response.url} answered {response.status_code}, and not as Verdict does: is it the right one?"
        )
        self.retry_after = _retry_after(response)


class DownloadChanged(VerdictError):
    """The results are others than those that were written so far, and what was written cannot be taken back."""


class Refused(VerdictError):
    """The service's own refusal (RFC 9457), field by field."""

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
        pointed = [f"{each.get('pointer', '')} {each.get('detail', '')}".strip() for each in self.errors]
        return "; ".join([": ".join(filter(None, [self.title, self.detail])), *pointed])


def trouble(response: httpx.Response) -> VerdictError | None:
    """What is wrong with an answer that was read whole; None for a 2xx."""
    if response.is_success:
        return None
    try:
        problem = response.json()
    except ValueError:
        problem = None
    is_problem = isinstance(problem, dict) and "title" in problem
    return Refused(response, problem) if is_problem else NotVerdict(response)


def unreachable(error: httpx.HTTPError, url: str) -> ServiceUnreachable:
    """One of ours for whatever httpx raises while it sends and receives, with that as its cause."""
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        ours: ServiceUnreachable = NotConnected(f"nothing answers at {url}")
    else:
        ours = ServiceUnreachable(f"{url} broke off: {str(error) or type(error).__name__}")
    ours.__cause__ = error
    return ours


def _retry_after(response: httpx.Response) -> float | None:
    """What `Retry-After` (seconds or a date) asks for; 0 for an answer that is worth a repeat and does not say."""
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
