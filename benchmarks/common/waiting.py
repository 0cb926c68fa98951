"""Wait for a condition in another process."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.01

T = TypeVar("T")


class NotInTime(Exception):
    """A condition was not met in time."""


def poll(condition: Callable[[], T], seconds: float, every: float = POLL_SECONDS) -> T:
    """Return the value of `condition` as soon as it is true, or its last value when the time is up."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(every)
    return value


def wait_until(condition: Callable[[], T], what: str, seconds: float = 30.0, every: float = POLL_SECONDS) -> T:
    """Return the value of `condition` as soon as it is true.

    Raises:
        NotInTime: it was not true within the time.
    """
    if value := poll(condition, seconds, every):
        return value
    raise NotInTime(f"not within {seconds:g} s: {what}")
