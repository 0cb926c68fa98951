"""Figures of recorded visits, by pure functions: latency of each review, rates, refusals, and the SLA."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.common.spread import percentile
from benchmarks.users.user_model import Visit, VisitKind, VisitOutcome
from monitoring.sla import FAILURES, MEAN_MS, P95_MS

RECOVERY_SECONDS = 10.0
INTERACTIVE = "interactive"


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from submission to result, over `reviews` reviews."""

    reviews: int
    mean: float
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise; `held` is None if nothing was measured."""

    name: str
    figure: float
    limit: float

    @property
    def held(self) -> bool | None:
        """Whether the figure is within the limit."""
        return None if math.isnan(self.figure) else self.figure <= self.limit


@dataclass(frozen=True, slots=True)
class Refusals:
    """Visits that were refused at first: their Retry-After, and their time until they were admitted."""

    visits: int
    refusals: int
    admitted: int
    told_seconds: float  #: median of the first Retry-After
    waited_seconds: float  #: median of the time until admitted
    ratio: float  #: median of that time over Retry-After, of the admitted visits
    within_factor_2: float  #: share of the admitted visits with a ratio of 0.5 to 2


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """The figures of a run or of one of its phases."""

    seconds: float
    visits: int
    answered: int
    failed: int
    left: int
    reviews: int  #: rows with a result
    reviews_per_second: float
    interactive: Latency
    by_kind: dict[VisitKind, Latency]
    refusals: Refusals

    def promises(self) -> list[Promise]:
        """Return the promises of the SLA with these figures."""
        completed = self.answered + self.failed
        return [
            Promise("mean, ms", self.interactive.mean, MEAN_MS),
            Promise("p95, ms", self.interactive.p95, P95_MS),
            Promise("share of failures", self.failed / completed if completed else math.nan, FAILURES),
        ]


def figures(visits: Sequence[Visit], seconds: float) -> LoadFigures:
    """Return the figures of these visits, made in `seconds`."""
    answered = [visit for visit in visits if visit.outcome == VisitOutcome.ANSWERED]
    reviews = sum(visit.succeeded for visit in visits)
    kinds = [kind for kind in VisitKind if any(visit.kind == kind for visit in visits)]
    return LoadFigures(
        seconds=seconds,
        visits=len(visits),
        answered=len(answered),
        failed=sum(visit.outcome == VisitOutcome.FAILED for visit in visits),
        left=sum(visit.outcome == VisitOutcome.LEFT for visit in visits),
        reviews=reviews,
        reviews_per_second=round(reviews / seconds, 2),
        interactive=latency(visit for visit in answered if visit.lane == INTERACTIVE),
        by_kind={kind: latency(visit for visit in answered if visit.kind == kind) for kind in kinds},
        refusals=refusals(visits),
    )


def latency(visits: Iterable[Visit]) -> Latency:
    """Return the latency of reviews, each with the time of its visit; NaN if there is none."""
    return latency_of([visit.seconds * 1000 for visit in visits for _ in range(visit.succeeded)])


def latency_of(milliseconds: Sequence[float]) -> Latency:
    """Return mean and percentiles; NaN without values."""
    if not milliseconds:
        return Latency(0, *[math.nan] * 5)
    ordered = sorted(milliseconds)
    cuts = (fmean(ordered), *(percentile(ordered, share) for share in (0.5, 0.95, 0.99)), ordered[-1])
    return Latency(len(ordered), *(round(value, 1) for value in cuts))


def refusals(visits: Iterable[Visit]) -> Refusals:
    """Return Retry-After and the real waiting time of refused visits."""
    refused = [visit for visit in visits if visit.refusals]
    admitted = [visit for visit in refused if visit.outcome != VisitOutcome.LEFT]
    ratios = [visit.waited / visit.told for visit in admitted]
    return Refusals(
        visits=len(refused),
        refusals=sum(visit.refusals for visit in refused),
        admitted=len(admitted),
        told_seconds=_median([visit.told for visit in admitted]),
        waited_seconds=_median([visit.waited for visit in admitted]),
        ratio=_median(ratios),
        within_factor_2=round(fmean(0.5 <= ratio <= 2 for ratio in ratios), 3) if ratios else math.nan,
    )


def _median(values: Sequence[float]) -> float:
    return round(median(values), 2) if values else math.nan


def recovered_after(visits: Iterable[Visit], end: float) -> float:
    """Return the seconds from the overload's `end` to the last refusal or the last second with a mean above the SLA.

    A review belongs to the second of its submission; 0 means that the service recovered at once.
    """
    last, seconds = end, defaultdict[int, list[float]](list)
    for visit in visits:
        last = max(last, visit.last_refused)
        if visit.outcome == VisitOutcome.ANSWERED and visit.lane == INTERACTIVE and visit.sent >= end:
            seconds[int(visit.sent - end)].append(visit.seconds * 1000)
    slow = [second + 1 for second, taken in seconds.items() if fmean(taken) > MEAN_MS]
    return round(max(last - end, *slow, 0.0), 2)


@dataclass(frozen=True, slots=True)
class Slice:
    """A few seconds of a run, for the plots."""

    start: float
    latency: Latency
    reviews_per_second: float
    refusals_per_second: float


def slices(visits: Iterable[Visit], seconds: float, width: float) -> list[Slice]:
    """Cut a run into slices: latency by submission, reviews by result, refusals by the visit's last refusal."""
    count = max(math.ceil(seconds / width), 1)
    taken: list[list[float]] = [[] for _ in range(count)]
    done, refused = [0] * count, [0] * count

    def place(at: float) -> int:
        return min(int(at / width), count - 1)

    for visit in visits:
        if visit.refusals:
            refused[place(visit.last_refused)] += visit.refusals
        if visit.outcome != VisitOutcome.ANSWERED:
            continue
        done[place(visit.sent + visit.seconds)] += visit.succeeded
        if visit.lane == INTERACTIVE:
            taken[place(visit.sent)] += [visit.seconds * 1000] * visit.succeeded
    return [
        Slice(place * width, latency_of(taken[place]), done[place] / width, refused[place] / width)
        for place in range(count)
    ]


def in_phase(visits: Iterable[Visit], start: float, end: float, at: Callable[[Visit], float]) -> list[Visit]:
    """Return the visits whose `at` lies in this phase."""
    return [visit for visit in visits if start <= at(visit) < end]
