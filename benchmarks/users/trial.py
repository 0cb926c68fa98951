"""One load on one service: count, run the load, sample the processes, wait for the backlog, count again."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from benchmarks.common.waiting import poll
from benchmarks.users import reconcile
from benchmarks.users.figures import LoadFigures, figures, latency_of
from benchmarks.users.generator import Load, generate
from benchmarks.users.reconcile import ReconciledLine
from benchmarks.users.recording import Recording
from benchmarks.users.resource_usage import Groups, Sample, Sampler, of_service
from benchmarks.users.target import Target

SETTLE_SECONDS = 30.0  # the request log is written every second, Prometheus scrapes every 15 s
POLL_SECONDS = 0.5


@dataclass(slots=True)
class LoadTrial:
    """The results of one run."""

    target: Target
    load: Load
    recording: Recording
    figures: LoadFigures
    samples: list[Sample]
    lines: list[ReconciledLine]
    scraped_lines: list[ReconciledLine]  #: the same with a Prometheus in place of the metrics; empty without one
    stored_mean_ms: float  #: submission to stored result of interactive reviews, by the workers' metric
    unfinished: int | None  #: accepted jobs that have not ended after the backlog was gone
    warnings: list[str] = field(default_factory=list)

    @property
    def generator(self) -> dict[str, float]:
        """The cost of the generator and its delays."""
        lag, requests = latency_of(self.recording.lag_ms), sum(self.recording.requests.values())
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
    """Run the load on the service; `groups` are processes to sample besides those of its `verdict run`."""
    others = dict(groups or {})
    before = _Before(target)

    def started(pid: int) -> None:
        others["load generator"] = [pid]

    with Sampler(lambda: of_service(target.root, others)) as sampler:
        recording = generate(load, target.url, started)
    seen = reconcile.from_recording(recording)
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
    """The counts before a run; `warnings` names each count that could not be read."""

    def __init__(self, target: Target) -> None:
        self.warnings: list[str] = []
        self._target = target
        self._metrics = None if target.foreign else self._try("metrics", lambda: reconcile.from_metrics(target))
        prometheus = target.prometheus
        self._scraped = self._try("Prometheus", lambda: self._caught_up(prometheus)) if prometheus else None
        self.since = reconcile.database_time(target.database_url) if target.database_url else None

    def _caught_up(self, prometheus: str) -> Counter[str]:
        """Return the counts of Prometheus once it has scraped all earlier events."""
        poll(lambda: reconcile.from_prometheus(prometheus) == self._metrics, SETTLE_SECONDS, POLL_SECONDS)
        return reconcile.from_prometheus(prometheus)

    def _try(self, side: str, count: Callable[[], Counter[str]]) -> Counter[str] | None:
        try:
            return count()
        except httpx.HTTPError as error:
            self.warnings.append(f"{side} could not be read: {error}")
            return None

    def metrics_lines(self, seen: Counter[str]) -> tuple[Counter[str], list[ReconciledLine]]:
        """Return the counts of the metrics since then, and the three counts side by side."""
        metrics = self._settled(seen, self._metrics, lambda: reconcile.from_metrics(self._target))
        has_sides = self._metrics is not None or self.since is not None
        lines = reconcile.compare(seen, metrics, self._stored()) if has_sides else []
        return metrics or Counter(), lines

    def scraped_lines(self, seen: Counter[str]) -> list[ReconciledLine]:
        """Return the three counts with a Prometheus in place of the metrics."""
        if self._scraped is None or not self._target.prometheus:
            return []
        prometheus = self._target.prometheus
        scraped = self._settled(seen, self._scraped, lambda: reconcile.from_prometheus(prometheus))
        return reconcile.compare(seen, scraped, self._stored())

    def _stored(self) -> Counter[str] | None:
        url, since = self._target.database_url, self.since
        return reconcile.from_tables(url, since) if url and since else None

    def _settled(
        self, seen: Counter[str], before: Counter[str] | None, count: Callable[[], Counter[str]]
    ) -> Counter[str] | None:
        """Return the counts since `before`, as soon as all agree or when the time is up."""
        now: Counter[str] | None = None

        def agree() -> bool:
            nonlocal now
            now = self._try("metrics", count)
            if now is None or before is None:
                return True
            now.subtract(before)
            return all(line.equal for line in reconcile.compare(seen, now, self._stored()))

        if before is not None:
            poll(agree, SETTLE_SECONDS, POLL_SECONDS)
        if now and any(value < 0 for value in now.values()):
            self.warnings.append("a process was started again, which reset its counters")
        return now


def _ended(target: Target, since: str | None) -> int | None:
    """Return how many accepted jobs have not ended, once none is left or the time is up."""
    url = target.database_url
    if not url or since is None:
        return None
    poll(lambda: reconcile.unfinished(url, since) == 0, SETTLE_SECONDS, POLL_SECONDS)
    return reconcile.unfinished(url, since)


def _stored_mean_ms(metrics: Counter[str]) -> float:
    judged = metrics["reviews judged interactive"]
    return round(float(metrics["seconds to result interactive"]) * 1000 / judged, 1) if judged else math.nan
