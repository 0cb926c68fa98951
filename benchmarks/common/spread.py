"""The spread of measured values."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float


def spread(values: Sequence[float]) -> Spread:
    """The percentiles of some milliseconds."""
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else list(values) * 99
    return Spread(*(round(cuts[percent - 1], 2) for percent in (50, 95, 99)))
