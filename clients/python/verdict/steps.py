"""A call is written once for both clients: as a generator of steps that a driver runs.

A call (verdict.calls) yields `Send` and receives the response or the error, or yields `Sleep`. Only the drivers
(verdict.drivers) know whether a step blocks or is awaited.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import httpx

from verdict.errors import NotConnected, VerdictError, trouble

ANSWER_SECONDS = 10.0
ANSWER = httpx.Timeout(ANSWER_SECONDS)
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

T = TypeVar("T")
# Takes a response with an unread body; returns a function for the pieces of the body, or None to read it whole.
Accept: TypeAlias = Callable[[httpx.Response], Callable[[bytes], object] | None]


@dataclass(frozen=True, slots=True)
class Send:
    """One request; its driver sends back an `httpx.Response` or a `ServiceUnreachable`."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    chunks: Callable[[], Iterable[bytes]] | None = None  #: opens the body anew for each attempt
    accept: Accept | None = None
    timeout: httpx.Timeout = field(default_factory=lambda: ANSWER)


@dataclass(frozen=True, slots=True)
class Sleep:
    """A pause."""

    seconds: float


Steps: TypeAlias = Generator[Send | Sleep, Any, T]
Pages: TypeAlias = Generator[Send | Sleep | list[T], Any, None]


class Patience:
    """The retry budget of a call: a limit of the seconds of all pauses together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Restore the whole budget after progress."""
        self._left, self._next = self._seconds, FIRST_PAUSE

    def pause_after(self, error: VerdictError) -> Sleep:
        """Return the pause until the next attempt; raise the error if the budget allows none."""
        if error.retry_after is None:
            raise error
        seconds = max(error.retry_after, self._next)
        if seconds > self._left:
            raise error
        self._left -= seconds
        self._next = min(2 * self._next, LONGEST_PAUSE)
        return Sleep(seconds)


def answered(send: Send, budget: float, *, patient: bool = False) -> Steps[httpx.Response]:
    """Send until the answer is a 2xx; retry after errors that may pass.

    A refused connection is raised at once, since most often the address is wrong; `patient`, or after another error,
    it is retried.
    """
    patience = Patience(budget)
    while True:
        outcome: httpx.Response | VerdictError = yield send
        error = trouble(outcome) if isinstance(outcome, httpx.Response) else outcome
        if not error:
            assert isinstance(outcome, httpx.Response)  # noqa: S101  for the type checker
            return outcome
        if isinstance(error, NotConnected) and not patient:
            raise error
        patient = True
        yield patience.pause_after(error)
