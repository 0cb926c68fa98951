"""What callers do, how often, and what became of it.

Used by benchmarks.users.callers, benchmarks.users.locustfile and benchmarks.users.figures.

A visit is one thing that a person does: a review or several submitted, and the answer had, refusals and all.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

DECK = 200  # visits in which the shares of a mix hold exactly


class VisitKind(StrEnum):
    """What a person does in a visit."""

    WAIT = "single, waits"  #: POST /v1/jobs with `Prefer: wait`
    CLASSIFY = "single, short form"  #: POST /v1/classify
    POLL = "single, polls"  #: POST /v1/jobs, then GET Location?wait=
    BATCH = "small batch"  #: POST /v1/jobs with 5 to 20 reviews, then GET Location?wait=
    FILE = "CSV"  #: POST /v1/jobs with a CSV of 100 rows, GET Location?wait=, then the results as CSV


class VisitOutcome(StrEnum):
    """How a visit ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    LEFT = "left"  #: refused, and not come back: impatient, or the run ended meanwhile


ROWS = {
    VisitKind.WAIT: (1, 1),
    VisitKind.CLASSIFY: (1, 1),
    VisitKind.POLL: (1, 1),
    VisitKind.BATCH: (5, 20),
    VisitKind.FILE: (100, 100),
}
# Share of the visits.
MIXES: dict[str, Mapping[VisitKind, float]] = {
    "people": {
        VisitKind.WAIT: 0.6,
        VisitKind.CLASSIFY: 0.2,
        VisitKind.POLL: 0.15,
        VisitKind.BATCH: 0.045,
        VisitKind.FILE: 0.005,
    },
    "singles": {VisitKind.WAIT: 0.6, VisitKind.CLASSIFY: 0.2, VisitKind.POLL: 0.2},
    "classify": {VisitKind.CLASSIFY: 1.0},
}


@dataclass(slots=True)
class Visit:
    """One visit. Times are seconds since the run began; `seconds` is from the accepted submission to its result."""

    kind: VisitKind
    rows: int
    start: float
    lane: str = ""  #: empty until known
    sent: float = 0.0  #: the submission that was not refused
    seconds: float = 0.0
    refusals: int = 0
    told: float = 0.0  #: Retry-After of the first refusal
    first_refused: float = 0.0
    last_refused: float = 0.0
    accepted: bool = False  #: the service has promised a result
    succeeded: int = 0  #: rows
    failed: int = 0
    outcome: VisitOutcome = VisitOutcome.LEFT
    why: str = ""

    @property
    def waited(self) -> float:
        """From the first refusal to the submission that was not refused."""
        return self.sent - self.first_refused


def rows_per_visit(mix: Mapping[VisitKind, float]) -> float:
    """On average."""
    return sum(share * sum(ROWS[kind]) / 2 for kind, share in mix.items())


def dealt(mix: Mapping[VisitKind, float], draw: random.Random) -> Iterator[VisitKind]:
    """Kinds without end, in random order; their shares hold exactly in every `DECK`, since one CSV more is felt."""
    deck = [kind for kind, share in mix.items() for _ in range(round(share * DECK))]
    while True:
        draw.shuffle(deck)
        yield from deck


@dataclass(frozen=True, slots=True)
class Phase:
    """So many reviews a second are offered for so long."""

    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Who comes how often: the same users all the time, who start a visit each `cycle` on average.

    The time between two starts is uniform between half and one and a half of it, whatever the visit takes,
    so that a slow service is not offered less; only who is still busy at his next start comes later, and who is still
    busy when another phase begins comes as that one says: a visit that he missed before is not made up for.
    """

    users: int
    mix: str
    phases: Sequence[Phase]
    _ends: list[float] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        end = 0.0
        for phase in self.phases:
            end += phase.seconds
            self._ends.append(end)

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self._ends[-1]

    @property
    def starts(self) -> list[float]:
        """When each phase begins."""
        return [0.0, *self._ends[:-1]]

    def place(self, at: float) -> int:
        """The phase of a time; the last one after the end."""
        return next((place for place, end in enumerate(self._ends) if at < end), len(self._ends) - 1)

    def cycle(self, at: float) -> float:
        """Seconds between two visits of a user, on average."""
        return self.users * rows_per_visit(MIXES[self.mix]) / self.phases[self.place(at)].rate

    def first(self, draw: random.Random) -> float:
        """When a user comes first."""
        return draw.random() * self.cycle(0)

    def following(self, start: float, now: float, draw: random.Random) -> float:
        """When who came at `start` comes again; drawn anew where another phase begins meanwhile, never before now."""
        due, end = start + self.cycle(start) * draw.uniform(0.5, 1.5), self._ends[self.place(start)]
        if max(due, now) > end and end < self.seconds:
            begin = max(now, end)
            due = begin + draw.random() * self.cycle(begin)
        return max(due, now)


def phases_of(text: str) -> list[Phase]:
    """`rate:seconds`, separated by commas.

    Raises:
        ValueError: it is not that.
    """
    phases = []
    for part in text.split(","):
        rate, _, seconds = part.partition(":")
        try:
            phase = Phase(float(rate), float(seconds))
        except ValueError:
            raise ValueError(
                f"{part!r} is no phase: write reviews a second, a colon, and seconds, as in 60:600"
            ) from None
        if not (0 < phase.rate < float("inf") and 0 < phase.seconds < float("inf")):
            raise ValueError(f"{part!r} is no phase: both numbers must be above 0")
        phases.append(phase)
    return phases
