"""The counters of maintenance."""

from collections.abc import Iterable

from db.jobs import Ended
from db.models import Lane
from monitoring.metrics import RESULTS, SWEPT


def count_ended(ended: Iterable[Ended], status: str) -> None:
    """Count the reviews of ended jobs; call it after the COMMIT."""
    for job in ended:
        RESULTS.labels(job.lane, status, job.reason).inc(job.rows)


def show_zeros() -> None:
    """Export each counter as 0 at start: Prometheus sees no increase in a series whose first value is 1."""
    for found in ("lost_leases", "expired_jobs", "waiting_lanes"):
        SWEPT.labels(found)
    for lane in Lane:
        RESULTS.labels(lane, "expired", "")
        RESULTS.labels(lane, "failed", "exhausted")
