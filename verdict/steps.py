"""How a call is written once for two clients: as a generator of steps that a driver takes.

A call (verdict.calls) yields `Send` and gets the response or the error that came instead, or yields `Sleep`; the
drivers (verdict.drivers) are all that knows whether this blocks or is awaited.
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
# Given a response whose body has not been read: what takes the body piece by piece, or None to have it read whole.
Accept: TypeAlias = Callable[[httpx.Response], Callable[[bytes], object] | None]


@dataclass(frozen=True, slots=True)
class Send:
    """One request; its driver sends back an `httpx.Response` or a `ServiceUnreachable`."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    chunks: Callable[[], Iterable[bytes]] | None = None  #: opens the body, anew for each time it is sent
    accept: Accept | None = None
    timeout: httpx.Timeout = field(default_factory=lambda: ANSWER)


@dataclass(frozen=True, slots=True)
class Sleep:
    """A pause."""

    seconds: float


Steps: TypeAlias = Generator[Send | Sleep, Any, T]
Pages: TypeAlias = Generator[Send | Sleep | list[T], Any, None]


class Patience:
    """How long a call goes on repeating: until its pauses add up to a budget."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Begin anew, because something has been achieved."""
        self._left, self._next = self._seconds, FIRST_PAUSE

    def pause_after(self, error: VerdictError) -> Sleep:
        """The pause until the next try; raises the error when there is none."""
        if error.retry_after is None:
            raise error
        seconds = max(error.retry_after, self._next)
        if seconds > self._left:
            raise error
        self._left -= seconds
        self._next = min(2 * self._next, LONGEST_PAUSE)
        return Sleep(seconds)


def answered(send: Send, budget: float, *, patient: bool = False) -> Steps[httpx.Response]:
    """Send until there is a 2xx, repeating what a repeat may cure.

    That nothing listens is said at once, unless `patient` or after another trouble: it is most often a wrong address.
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
