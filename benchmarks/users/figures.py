"""From what was seen to figures: latency of each review, rates, refusals, and whether the SLA was held.

Pure functions, called by benchmarks.users.trial, benchmarks.users.ramp and benchmarks.users.overload.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.users.user_model import Visit, VisitKind, VisitOutcome
from monitoring.sla import FAILURES, MEAN_MS, P95_MS

RECOVERY_SECONDS = 10.0
INTERACTIVE = "interactive"


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from submit to result, of so many reviews."""

    reviews: int
    mean: float
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise, held or not; `held` is None where there was nothing to judge."""

    name: str
    figure: float
    limit: float

    @property
    def held(self) -> bool | None:
        """Whether the figure is within the limit."""
        return None if math.isnan(self.figure) else self.figure <= self.limit


@dataclass(frozen=True, slots=True)
class Refusals:
    """Visits that were refused at first: what they were told, and how long it took them to be admitted."""

    visits: int
    refusals: int
    admitted: int
    told_seconds: float  #: median
    waited_seconds: float  #: median
    ratio: float  #: median of waited over told, of those admitted
    within_factor_2: float  #: share of them


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """Of one run, or of one of its phases."""

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
        """What the SLA says of this."""
        judged = self.answered + self.failed
        return [
            Promise("mean, ms", self.interactive.mean, MEAN_MS),
            Promise("p95, ms", self.interactive.p95, P95_MS),
            Promise("share of failures", self.failed / judged if judged else math.nan, FAILURES),
        ]


def figures(visits: Sequence[Visit], seconds: float) -> LoadFigures:
    """Of these visits, made in so many seconds."""
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
    """Every review has the time of its visit; NaN where there is none."""
    return spread([visit.seconds * 1000 for visit in visits for _ in range(visit.succeeded)])


def spread(milliseconds: Sequence[float]) -> Latency:
    """Mean and percentiles; NaN where there is none."""
    if not milliseconds:
        return Latency(0, *[math.nan] * 5)
    ordered = sorted(milliseconds)
    cuts = (fmean(ordered), *(percentile(ordered, share) for share in (0.5, 0.95, 0.99)), ordered[-1])
    return Latency(len(ordered), *(round(value, 1) for value in cuts))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that this share of them does not exceed (nearest rank)."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def refusals(visits: Iterable[Visit]) -> Refusals:
    """What refused callers were told, against what they had to wait."""
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
    """Seconds after the overload's `end` from which on nobody is refused and each second's mean is within the SLA.

    A second is that in which reviews were submitted; 0 when all was well at once.
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
    """Interactive latency by when it was submitted, reviews by when their results came, refusals by a visit's last."""
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
        Slice(place * width, spread(taken[place]), done[place] / width, refused[place] / width)
        for place in range(count)
    ]


def in_phase(visits: Iterable[Visit], start: float, end: float, at: Callable[[Visit], float]) -> list[Visit]:
    """The visits whose `at` lies in this phase."""
    return [visit for visit in visits if start <= at(visit) < end]
