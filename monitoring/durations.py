"""Durations as people write them: `90s`, `15m`, `6h`, `7d`."""

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str, *, least: str, most: str) -> timedelta:
    """Parse a whole number with its unit.

    Raises:
        ValueError: the text has another form, or is outside `least` to `most`.
    """
    found = _parsed(text)
    if found is None or not _seconds(least) <= found.total_seconds() <= _seconds(most):
        raise ValueError(f"must be a number with s, m, h or d, from {least} to {most}, such as 90s, 15m, 6h or 7d")
    return found


def _parsed(text: str) -> timedelta | None:
    found = re.fullmatch(r"(\d{1,9})([smhd])", text, re.ASCII)
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    except OverflowError:
        return None


def _seconds(bound: str) -> float:
    found = _parsed(bound)
    if found is None:
        raise TypeError(f"{bound!r} is not a duration")
    return found.total_seconds()
