"""The users: kinds of visits, how often they come, and the record of each visit.

In a visit, a user submits one or more reviews and gets the results, perhaps after refusals.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

DECK = 200  # visits, in which the shares of a mix are exact


class VisitKind(StrEnum):
    """The requests of a visit."""

    WAIT = "single, waits"  #: POST /v1/jobs with `Prefer: wait`
    CLASSIFY = "single, short form"  #: POST /v1/classify
    POLL = "single, polls"  #: POST /v1/jobs, then GET Location?wait=
    BATCH = "small batch"  #: POST /v1/jobs with 5 to 20 reviews, then GET Location?wait=
    FILE = "CSV"  #: POST /v1/jobs with a CSV of 100 rows, GET Location?wait=, then the results as CSV


class VisitOutcome(StrEnum):
    """How a visit ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    LEFT = "left"  #: refused without a retry: impatient, or the run ended


ROWS = {
    VisitKind.WAIT: (1, 1),
    VisitKind.CLASSIFY: (1, 1),
    VisitKind.POLL: (1, 1),
    VisitKind.BATCH: (5, 20),
    VisitKind.FILE: (100, 100),
}
# Mix → share of each kind of visit.
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
    """One visit. Times are seconds since the run began; `seconds` runs from the accepted submission to the result."""

    kind: VisitKind
    rows: int
    start: float
    lane: str = ""  #: empty until known
    sent: float = 0.0  #: time of the submission that was not refused
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
        """Seconds from the first refusal to the submission that was not refused."""
        return self.sent - self.first_refused


def rows_per_visit(mix: Mapping[VisitKind, float]) -> float:
    """Return the mean number of reviews in a visit."""
    return sum(share * sum(ROWS[kind]) / 2 for kind, share in mix.items())


def dealt(mix: Mapping[VisitKind, float], draw: random.Random) -> Iterator[VisitKind]:
    """Yield kinds in random order without end; shares are exact in every `DECK`, since one CSV more would show."""
    deck = [kind for kind, share in mix.items() for _ in range(round(share * DECK))]
    while True:
        draw.shuffle(deck)
        yield from deck


@dataclass(frozen=True, slots=True)
class Phase:
    """An offered rate in reviews a second, and its duration."""

    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule of visits: the same users throughout, each of which starts a visit every `cycle` on average.

    The time between two starts is uniform between half and one and a half cycles, however long the visit takes, so
    that a slow service is not offered less. A user that is still busy starts its next visit late, and at the beginning
    of a phase takes up its rate; missed visits are not made up for.
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
        """The duration of all phases."""
        return self._ends[-1]

    @property
    def starts(self) -> list[float]:
        """The time at which each phase begins."""
        return [0.0, *self._ends[:-1]]

    def place(self, at: float) -> int:
        """Return the index of the phase at a time; the last one after the end."""
        return next((place for place, end in enumerate(self._ends) if at < end), len(self._ends) - 1)

    def cycle(self, at: float) -> float:
        """Return the mean seconds between two visits of a user."""
        return self.users * rows_per_visit(MIXES[self.mix]) / self.phases[self.place(at)].rate

    def first(self, draw: random.Random) -> float:
        """Draw the time of a user's first visit."""
        return draw.random() * self.cycle(0)

    def following(self, start: float, now: float, draw: random.Random) -> float:
        """Draw the time of the visit after one at `start`, again if a phase begins meanwhile, and never before now."""
        due, end = start + self.cycle(start) * draw.uniform(0.5, 1.5), self._ends[self.place(start)]
        if max(due, now) > end and end < self.seconds:
            begin = max(now, end)
            due = begin + draw.random() * self.cycle(begin)
        return max(due, now)


def phases_of(text: str) -> list[Phase]:
    """Parse `rate:seconds` pairs, separated by commas.

    Raises:
        ValueError: a part is not a pair of positive numbers.
    """
    phases = []
    for part in text.split(","):
        rate, _, seconds = part.partition(":")
        try:
            phase = Phase(float(rate), float(seconds))
        except ValueError:
            raise ValueError(
                f"{part!r} is not a phase: write reviews a second, a colon and seconds, as in 60:600"
            ) from None
        if not (0 < phase.rate < float("inf") and 0 < phase.seconds < float("inf")):
            raise ValueError(f"{part!r} is not a phase: both numbers must be above 0")
        phases.append(phase)
    return phases
