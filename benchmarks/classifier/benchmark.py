"""Measure the ladder in one run: deployments (rungs) from the usual one to the served model, a part of each in turn.

`benchmarks.classifier.team` takes the measurements, `frontier` and `robustness` evaluate them, and `benchmark_report`
writes them down.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.classifier.ladder import INT8, rungs
from benchmarks.classifier.robustness import HardKind, load_kinds
from benchmarks.classifier.rungs import Rung, RungAnswers, Timing
from benchmarks.classifier.team import Team
from inference.manifest import Manifest, load_manifest
from inference.stages import FULL
from training.data.reviews import Reviews

Rows = NDArray[np.int64]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """The model folder, the reviews to classify, and the training run of the network (None: its rungs are left out)."""

    model: Path
    reviews: Reviews
    dataset: str
    run: Path | None
    threads: int
    rounds: int = 4
    seed: int = 0


@dataclass(slots=True)
class MeasuredRung:
    """A rung and its measurements, round by round; `answers` has NaN for reviews that it did not classify."""

    rung: Rung
    answers: RungAnswers
    counts: list[int]
    seconds: list[float]
    peak_memory: int = 0

    def add(self, rows: Rows, timing: Timing) -> None:
        """Add the timing of one round of reviews."""
        self.answers.put(rows.tolist(), timing.answers)
        self.counts.append(len(rows))
        self.seconds.append(timing.ended - timing.began)
        self.peak_memory = max(self.peak_memory, timing.peak_memory)

    @property
    def rate(self) -> float:
        """Return reviews per second over all rounds."""
        return sum(self.counts) / sum(self.seconds)

    @property
    def rates(self) -> list[float]:
        """Return reviews per second in each round."""
        return [count / seconds for count, seconds in zip(self.counts, self.seconds, strict=True)]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All measurements of one run; `tried` holds the answers of some rungs to each kind of hard review."""

    manifest: Manifest
    request: BenchmarkRequest
    ladder: Mapping[str, MeasuredRung]
    kinds: Sequence[HardKind]
    tried: Mapping[str, Mapping[str, RungAnswers]]

    @property
    def served(self) -> str:
        """Return the key of the rung that a worker serves by default."""
        return _served(self.manifest)


def benchmark(request: BenchmarkRequest, say: Say) -> Benchmark:
    """Measure every rung, a round of each in turn, then classify the hard reviews with each part of the model."""
    manifest = load_manifest(request.model)
    kinds = load_kinds(manifest.labels)
    teams: dict[str, Team] = {}
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        for rung in rungs(request.model, manifest, request.run, request.threads, Path(scratch)):
            say(f"loading {rung.title}")
            teams[rung.key] = stack.enter_context(Team(rung))
            teams[rung.key].warm_up(request.reviews.texts)
        ladder = _climb(request, manifest, teams, say)
        asked = {INT8, FULL, _served(manifest)} & set(teams)
        tried = {kind.name: {key: teams[key].judge(kind.texts).answers for key in asked} for kind in kinds}
    return Benchmark(manifest, request, ladder, kinds, tried)


def _served(manifest: Manifest) -> str:
    return manifest.cascade.default if manifest.cascade else INT8


def _climb(
    request: BenchmarkRequest, manifest: Manifest, teams: Mapping[str, Team], say: Say
) -> dict[str, MeasuredRung]:
    texts = request.reviews.texts
    lengths = np.array([len(text) for text in texts])
    turns = min(request.rounds, len(texts))
    plans = {key: rounds(lengths, team.rung, turns, request.seed) for key, team in teams.items()}
    ladder = {
        key: MeasuredRung(team.rung, RungAnswers.none(len(texts), len(manifest.labels)), [], [])
        for key, team in teams.items()
    }
    for turn in range(turns):
        for key, team in teams.items():
            rows = plans[key][turn]
            ladder[key].add(rows, team.judge([texts[row] for row in rows]))
            rate = f"{ladder[key].rates[-1]:.1f} reviews/s"
            say(f"round {turn + 1} of {turns}: {team.rung.title}: {rate}")
    return ladder


def rounds(lengths: NDArray[np.int64], rung: Rung, count: int, seed: int) -> list[Rows]:
    """Return the rows of each round, in random order, with about the same mix of lengths in each round."""
    chance = np.random.default_rng(seed)
    by_length = np.argsort(lengths, kind="stable")
    if rung.each_round:
        return [chance.permutation(by_length) for _ in range(count)]
    wanted = min(max(rung.reviews or len(lengths), count), len(lengths))
    # The middles of equal parts, so that neither the shortest nor the longest review of a part represents it.
    chosen = by_length[((np.arange(wanted) + 0.5) * len(lengths) / wanted).astype(np.int64)]
    return [chance.permutation(chosen[start::count]) for start in range(count)]
