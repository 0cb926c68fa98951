"""Shared by the commands of benchmarks.users.load: their options, a warm service, a ramp, errors in one line."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psycopg
import typer

from benchmarks.common.http_client import NoAnswer, classify, for_each
from benchmarks.common.review_texts import read_reviews
from benchmarks.common.stack import StackError
from benchmarks.common.waiting import NotInTime
from benchmarks.users import ramp
from benchmarks.users.figures import LoadFigures
from benchmarks.users.generator import GeneratorError, Load
from benchmarks.users.ramp import Ascent, RampLimits, RampStep
from benchmarks.users.resource_usage import Groups
from benchmarks.users.target import Target, own_target, target_at
from benchmarks.users.trial import LoadTrial, run
from benchmarks.users.user_model import Phase, Plan

WARM_UP_REVIEWS, WARM_UP_AT_ONCE = 200, 4
EXPECTED = (StackError, NotInTime, GeneratorError, NoAnswer, OSError, psycopg.Error)


@dataclass(frozen=True, slots=True)
class Common:
    """The options of every command: the service, its users, and the folder of the report."""

    url: str
    home: Path
    prometheus: str
    users: int
    mix: str
    dataset: Path
    seed: int
    out: Path

    def target(self) -> AbstractContextManager[Target]:
        """Return the service at the URL, or without one a service of its own."""
        prometheus = self.prometheus or None
        return nullcontext(target_at(self.url, self.home, prometheus)) if self.url else own_target(prometheus)

    def trial(
        self, target: Target, phases: Sequence[Phase], *, returning: float = 1.0, groups: Groups | None = None
    ) -> LoadTrial:
        """Run these phases on the service."""
        load = Load(Plan(self.users, self.mix, phases), self.dataset, returning, self.seed)
        return run(target, load, groups=groups)


def climb(
    wanted: Common, target: Target, ascent: Ascent, seconds: float, limits: RampLimits, groups: Groups | None = None
) -> tuple[list[RampStep], LoadTrial | None]:
    """Return every step of a ramp, and the trial of the highest rate that held."""
    trials: dict[float, LoadTrial] = {}

    def measure(rate: float) -> LoadFigures:
        progress(f"{rate:g} reviews/s")
        trials[rate] = wanted.trial(target, [Phase(rate, seconds)], groups=groups)
        found = trials[rate].figures
        latency = found.interactive
        progress(f"  {found.reviews_per_second:g}/s, mean {latency.mean:.0f} ms, p95 {latency.p95:.0f} ms")
        return found

    steps = ramp.climb(ascent, limits, measure)
    best = ramp.highest(steps)
    return steps, trials[best.rate] if best else None


def warm_up(target: Target, wanted: Common) -> None:
    """Classify some reviews, which opens connections and grows buffers."""
    progress(f"warming up {target.url}")
    texts, _ = read_reviews(wanted.dataset, WARM_UP_REVIEWS, seed=wanted.seed + 1)
    answers = asyncio.run(for_each(target.url, texts, WARM_UP_AT_ONCE, classify))
    if not any(answer.status == 200 for answer in answers):
        raise StackError(f"{target.url} answers {answers[0].status} to POST /v1/classify")


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn an expected error into one line on stderr and exit code 2."""
    try:
        yield
    except (*EXPECTED, ExceptionGroup) as error:
        first = _first(error)
        if not isinstance(first, EXPECTED):
            raise
        progress(f"load: {' '.join(str(first).split())}")
        raise typer.Exit(2) from error


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def progress(line: str) -> None:
    """Print a line on stderr."""
    print(line, file=sys.stderr, flush=True)
