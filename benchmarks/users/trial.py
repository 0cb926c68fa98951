"""One load on one service: counted before, put on, sampled, waited for, counted after.

Called by benchmarks.users.campaign.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from benchmarks.users import reconcile
from benchmarks.users.figures import LoadFigures, figures, spread
from benchmarks.users.generator import Load, generate
from benchmarks.users.reconcile import ReconciledLine
from benchmarks.users.recording import Recording
from benchmarks.users.resource_usage import Groups, Sample, Sampler, of_service
from benchmarks.users.target import Target

SETTLE_SECONDS = 30.0  # the request log is written every second, a Prometheus scrapes every 15
POLL_SECONDS = 0.5


@dataclass(slots=True)
class LoadTrial:
    """What one run brought."""

    target: Target
    load: Load
    recording: Recording
    figures: LoadFigures
    samples: list[Sample]
    lines: list[ReconciledLine]
    scraped_lines: list[ReconciledLine]  #: the same against a real Prometheus; empty without one
    stored_mean_ms: float  #: submit to stored result of the interactive reviews, as the workers measured it
    unfinished: int | None  #: accepted and never ended, after the backlog was gone
    warnings: list[str] = field(default_factory=list)

    @property
    def generator(self) -> dict[str, float]:
        """What the generator cost, and by how much it came late."""
        lag, requests = spread(self.recording.lag_ms), sum(self.recording.requests.values())
        milliseconds = self.recording.cpu_seconds * 1000
        return {
            "requests": requests,
            "requests_per_second": round(requests / self.load.plan.seconds, 2),
            "cpu_ms_per_request": round(milliseconds / requests, 3) if requests else math.nan,
            "cores": round(self.recording.cpu_seconds / self.load.plan.seconds, 3),
            "lag_ms_p50": lag.p50,
            "lag_ms_p99": lag.p99,
        }


def run(target: Target, load: Load, *, groups: Groups | None = None) -> LoadTrial:
    """Put the load on the service; `groups` are processes to sample besides those of its `verdict run`."""
    others = dict(groups or {})
    before = _Before(target)

    def started(pid: int) -> None:
        others["load generator"] = [pid]

    with Sampler(lambda: of_service(target.root, others)) as sampler:
        recording = generate(load, target.url, started)
    seen = reconcile.seen(recording)
    left = _ended(target, before.since)
    metrics, lines = before.metrics_lines(seen)
    return LoadTrial(
        target=target,
        load=load,
        recording=recording,
        figures=figures(recording.visits, load.plan.seconds),
        samples=[sample for sample in sampler.samples if sample.at >= recording.began_at],
        lines=lines,
        scraped_lines=before.scraped_lines(seen),
        stored_mean_ms=_stored_mean_ms(metrics),
        unfinished=left,
        warnings=before.warnings + [f"the generator: {error}" for error in recording.errors],
    )


class _Before:
    """The counts before a run; what cannot be counted is said once, in `warnings`."""

    def __init__(self, target: Target) -> None:
        self.warnings: list[str] = []
        self._target = target
        self._metrics = None if target.foreign else self._try("metrics", lambda: reconcile.measured(target))
        prometheus = target.prometheus
        self._scraped = self._try("Prometheus", lambda: self._caught_up(prometheus)) if prometheus else None
        self.since = reconcile.store_time(target.database_url) if target.database_url else None

    def _caught_up(self, prometheus: str) -> Counter[str]:
        """What Prometheus says, once it has scraped all that was counted before: it looks only now and then."""
        end = time.monotonic() + SETTLE_SECONDS
        while (scraped := reconcile.scraped(prometheus)) != self._metrics and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        return scraped

    def _try(self, what: str, count: Callable[[], Counter[str]]) -> Counter[str] | None:
        try:
            return count()
        except httpx.HTTPError as error:
            self.warnings.append(f"{what} could not be read: {error}")
            return None

    def metrics_lines(self, seen: Counter[str]) -> tuple[Counter[str], list[ReconciledLine]]:
        """What the metrics have counted since, and all three side by side."""
        metrics = self._settled(seen, self._metrics, lambda: reconcile.measured(self._target))
        lines = reconcile.compare(seen, metrics, self._stored()) if self._has_sides else []
        return metrics or Counter(), lines

    def scraped_lines(self, seen: Counter[str]) -> list[ReconciledLine]:
        """The same with a real Prometheus in the place of the metrics themselves."""
        if self._scraped is None or not self._target.prometheus:
            return []
        prometheus = self._target.prometheus
        scraped = self._settled(seen, self._scraped, lambda: reconcile.scraped(prometheus))
        return reconcile.compare(seen, scraped, self._stored())

    @property
    def _has_sides(self) -> bool:
        return self._metrics is not None or self.since is not None

    def _stored(self) -> Counter[str] | None:
        return (
            reconcile.stored(self._target.database_url, self.since)
            if self._target.database_url and self.since
            else None
        )

    def _settled(
        self, seen: Counter[str], before: Counter[str] | None, count: Callable[[], Counter[str]]
    ) -> Counter[str] | None:
        """Counts since `before`, as soon as all agree, or as they are when the time is up."""
        end = time.monotonic() + SETTLE_SECONDS
        while before is not None:
            now = self._try("metrics", count)
            if now is None:
                return None
            now.subtract(before)
            if any(value < 0 for value in now.values()):
                self.warnings.append("a process was started again, which set its counters back")
            if time.monotonic() > end or all(line.equal for line in reconcile.compare(seen, now, self._stored())):
                return now
            time.sleep(POLL_SECONDS)
        return None


def _ended(target: Target, since: str | None) -> int | None:
    """How many accepted jobs have not ended, once none is left or the time is up."""
    if not target.database_url or since is None:
        return None
    end = time.monotonic() + SETTLE_SECONDS
    while (left := reconcile.unfinished(target.database_url, since)) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return left


def _stored_mean_ms(metrics: Counter[str]) -> float:
    judged = metrics["reviews judged interactive"]
    return round(float(metrics["seconds to result interactive"]) * 1000 / judged, 1) if judged else math.nan
