"""Percentiles of measured values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles in milliseconds."""

    p50: float
    p95: float
    p99: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the sorted values that at least this share of them does not exceed (nearest rank)."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def spread(milliseconds: Sequence[float]) -> Spread:
    """Return the percentiles of at least one value."""
    ordered = sorted(milliseconds)
    return Spread(*(round(percentile(ordered, share), 2) for share in (0.5, 0.95, 0.99)))
