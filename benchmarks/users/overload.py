"""An overload of three times the capacity, between two phases of half of it: every accepted review is classified."""

from dataclasses import dataclass

from benchmarks.users.figures import (
    RECOVERY_SECONDS,
    LoadFigures,
    Promise,
    Refusals,
    figures,
    in_phase,
    recovered_after,
    refusals,
)
from benchmarks.users.trial import LoadTrial
from benchmarks.users.user_model import Phase, Visit

AROUND_SECONDS = 60.0
AROUND_SHARE = 0.5  # of the rate that the service sustains
RETRY_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class Overload:
    """The figures of the three phases."""

    phases: list[LoadFigures]  #: before, during, after
    refused: Refusals  #: visits that were first refused during the overload
    attempts_per_second: float  #: submissions during the overload, refused ones included
    recovery_seconds: float
    lost: int | None  #: accepted rows without a result, and jobs that never ended; None without the database

    def promises(self) -> list[Promise]:
        """Return the promises for an overload with these figures."""
        during, failed = self.phases[1], sum(each.failed for each in self.phases)
        ratio = self.refused.ratio
        mean, p95, _ = during.promises()
        return [
            Promise("failures (5xx, no answer, wrong answer)", failed, 0),
            mean,
            p95,
            Promise("Retry-After against the time until admitted, factor", max(ratio, 1 / ratio), RETRY_FACTOR),
            Promise("accepted and lost", float("nan") if self.lost is None else self.lost, 0),
            Promise("seconds until all was normal again", self.recovery_seconds, RECOVERY_SECONDS),
        ]


def phases(rate: float, times: float, seconds: float, around_seconds: float = AROUND_SECONDS) -> list[Phase]:
    """Return the phases: normal, `times` the rate that the service sustains, normal."""
    around = Phase(rate * AROUND_SHARE, around_seconds)
    return [around, Phase(rate * times, seconds), around]


def assess(trial: LoadTrial) -> Overload:
    """Return the figures of each phase; a visit belongs to the phase of its last submission."""
    plan, visits = trial.load.plan, trial.recording.visits
    starts = plan.starts
    ends = [*starts[1:], float("inf")]  # visits may end a little after the plan
    spells = [in_phase(visits, start, end, lambda visit: visit.sent) for start, end in zip(starts, ends, strict=True)]
    parts = [figures(spell, phase.seconds) for spell, phase in zip(spells, plan.phases, strict=True)]
    during = parts[1]
    return Overload(
        phases=parts,
        refused=refusals(visit for visit in visits if starts[1] <= visit.first_refused < ends[1]),
        attempts_per_second=round((during.visits - during.left + during.refusals.refusals) / during.seconds, 1),
        recovery_seconds=recovered_after(visits, ends[1]),
        lost=None if trial.unfinished is None else trial.unfinished + sum(map(_lost, visits)),
    )


def _lost(visit: Visit) -> int:
    """Return the number of accepted rows that neither succeeded nor failed."""
    return visit.rows - visit.succeeded - visit.failed if visit.accepted else 0
