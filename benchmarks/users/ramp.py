"""Find the highest rate that meets the SLA: go up by steps until one fails, then halve the interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.users.figures import LoadFigures

SHED_SHARE = 0.01
OFFERED_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class RampLimits:
    """The limits of a step; a mean of infinity means no limit."""

    mean_ms: float
    p95_ms: float

    def broken(self, figures: LoadFigures, rate: float) -> list[str]:
        """Return the reasons why a step at this rate fails; empty if it holds."""
        latency, refused = figures.interactive, figures.refusals.visits
        checks = {
            f"{figures.failed} failed": figures.failed > 0,
            f"mean {latency.mean:.0f} ms": not latency.mean <= self.mean_ms,
            f"p95 {latency.p95:.0f} ms": not latency.p95 <= self.p95_ms,
            f"{refused} of {figures.visits} visits refused": refused > SHED_SHARE * figures.visits,
            f"only {figures.reviews_per_second:.1f} reviews/s": figures.reviews_per_second < OFFERED_SHARE * rate,
        }
        return [why for why, is_so in checks.items() if is_so]


@dataclass(frozen=True, slots=True)
class RampStep:
    """One rate, and the reasons why it failed."""

    rate: float
    figures: LoadFigures
    broken: list[str]

    @property
    def holds(self) -> bool:
        """Whether the step kept all limits."""
        return not self.broken


@dataclass(frozen=True, slots=True)
class Ascent:
    """Reviews a second: the first rate, the step, and the precision of the highest rate."""

    first: float
    step: float
    finest: float


def climb(ascent: Ascent, limits: RampLimits, measure: Callable[[float], LoadFigures]) -> list[RampStep]:
    """Measure one rate after the other; return the steps in order."""
    steps: list[RampStep] = []
    rate: float | None = ascent.first
    while rate is not None:
        figures = measure(rate)
        steps.append(RampStep(rate, figures, limits.broken(figures, rate)))
        rate = following(steps, ascent)
    return steps


def following(steps: Sequence[RampStep], ascent: Ascent) -> float | None:
    """Return the next rate, or None if the highest that holds and the lowest that fails are at most `finest` apart."""
    holding, failing = highest(steps), min((each.rate for each in steps if not each.holds), default=None)
    if failing is None:
        return steps[-1].rate + ascent.step
    low = holding.rate if holding else 0.0
    if failing - low <= ascent.finest:
        return None
    return (low + failing) / 2


def highest(steps: Sequence[RampStep]) -> RampStep | None:
    """Return the fastest step that held below the lowest that failed; one above it held by luck."""
    failing = min((each.rate for each in steps if not each.holds), default=float("inf"))
    return max((each for each in steps if each.holds and each.rate < failing), key=lambda each: each.rate, default=None)


def steps_table(steps: Sequence[RampStep]) -> list[tuple[str, ...]]:
    """Return the table of steps for the report."""
    head = ("reviews/s offered", "reviews/s with a result", "mean ms", "p95 ms", "p99 ms", "refused", "holds")
    return [head, *map(_row, sorted(steps, key=lambda each: each.rate))]


def _row(step: RampStep) -> tuple[str, ...]:
    figures, latency = step.figures, step.figures.interactive
    milliseconds = (f"{value:.0f}" for value in (latency.mean, latency.p95, latency.p99))
    verdict = "yes" if step.holds else "no: " + ", ".join(step.broken)
    return f"{step.rate:g}", f"{figures.reviews_per_second:.1f}", *milliseconds, str(figures.refusals.visits), verdict


@dataclass(frozen=True, slots=True)
class Ratios:
    """Reviews a second: Verdict within the SLA, the ready-made server within the SLA and within its own limit."""

    ours: float
    theirs_within_sla: float
    theirs: float

    @property
    def within_sla(self) -> float:
        """The ratio with both held to the SLA."""
        return _over(self.ours, self.theirs_within_sla)

    @property
    def whole(self) -> float:
        """The ratio with the ready-made server held to its own limit only."""
        return _over(self.ours, self.theirs)


def _over(ours: float, theirs: float) -> float:
    return round(ours / theirs, 2) if theirs else float("nan")


def ratios(ours: Sequence[RampStep], theirs: Sequence[RampStep], sla: RampLimits) -> Ratios:
    """Return the ratios of two ramps; theirs was measured with its own limit, and is checked for the SLA here."""
    held_to_sla = [RampStep(each.rate, each.figures, sla.broken(each.figures, each.rate)) for each in theirs]
    return Ratios(*(_rate(highest(steps)) for steps in (ours, held_to_sla, theirs)))


def _rate(step: RampStep | None) -> float:
    return step.figures.reviews_per_second if step else 0.0


def ratios_table(found: Ratios) -> list[tuple[str, ...]]:
    """Return the table of ratios for the report."""
    return [
        ("held to", "ready-made, reviews/s", "Verdict, reviews/s", "ratio"),
        ("the SLA, both", f"{found.theirs_within_sla:g}", f"{found.ours:g}", f"{found.within_sla:g}"),
        ("p95 < 1 s; Verdict to the SLA", f"{found.theirs:g}", f"{found.ours:g}", f"{found.whole:g}"),
    ]
