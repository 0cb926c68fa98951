"""Find the fastest number of worker processes, threads and tokens of a micro-batch on this machine, by measuring.

Needs no torch.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.classifier.rungs import CLAIM, Rung
from benchmarks.classifier.team import Team
from inference.manifest import Manifest, load_manifest

# Padded tokens of a micro-batch; predictions do not depend on it (`batching` in the manifest).
BUDGETS = (640, 1280, 2560, 5120)
# The numbers of words of IMDb reviews at the middle of each tenth.
WORDS_IN_REVIEW = (62, 107, 126, 141, 161, 186, 220, 276, 372, 587)
TEXTS = 320
# Parts that the texts are classified in; each has the same mix of lengths.
PARTS = 5
# Reviews that are classified alone, one after another.
LONE = 20
# Rates within this share of the best are equal within noise.
EQUAL = 0.05


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings WORKERS, WORKER_THREADS and MICRO_BATCH_TOKENS of `.env`."""

    workers: int
    threads: int
    token_budget: int


@dataclass(frozen=True, slots=True)
class TuneTrial:
    """The measurement of a setting: reviews/s, mean milliseconds of a single review, bytes of all processes."""

    setting: Setting
    rate: float
    lone: float
    peak_memory: int


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """The model folder at an operating point (None: its default), texts to classify, and the total time."""

    model: Path
    point: str | None
    texts: Sequence[str]
    cores: int
    seconds: float


def tune(request: TuneRequest, say: Callable[[str], None]) -> list[TuneTrial]:
    """Try each number of processes, then with the best of them each size of micro-batch; return trials in order."""
    budget = load_manifest(request.model).batching.token_budget
    layouts = [Setting(workers, request.cores // workers, budget) for workers in shares(request.cores)]
    each = request.seconds / (len(layouts) + len(BUDGETS))
    trials = [_try(request, setting, each, say) for setting in layouts]
    chosen = best(trials).setting
    others = [replace(chosen, token_budget=size) for size in BUDGETS if size != budget]
    return trials + [_try(request, setting, each, say) for setting in others]


def shares(cores: int) -> list[int]:
    """Return the numbers of processes to try: doubled until each process has one core."""
    return [count for count in (1 << power for power in range(cores.bit_length())) if count <= cores]


def best(trials: Sequence[TuneTrial]) -> TuneTrial:
    """Return the trial of the highest rate, or among equal ones the fastest for a single review."""
    highest = max(trial.rate for trial in trials)
    return min((each for each in trials if each.rate >= (1 - EQUAL) * highest), key=lambda each: each.lone)


def _try(request: TuneRequest, setting: Setting, seconds: float, say: Callable[[str], None]) -> TuneTrial:
    rung = Rung(
        key="tune",
        title=f"{setting.workers} x {setting.threads} threads, {setting.token_budget} tokens",
        backend="served",
        model=request.model,
        files=request.model,
        threads=setting.threads,
        window=CLAIM,
        token_budget=setting.token_budget,
        point=request.point,
        processes=setting.workers,
    )
    end = time.monotonic() + seconds
    with Team(rung) as team:
        team.warm_up(request.texts)
        alone = [team.judge([text]) for text in request.texts[:LONE]]
        timings = [_timed(team, request.texts, part) for part in range(2)]
        while time.monotonic() < end:
            timings.append(_timed(team, request.texts, len(timings)))
    lone = statistics.mean(timing.ended - timing.began for timing in alone) * 1000
    trial = TuneTrial(setting, statistics.median(rate for rate, _ in timings), lone, max(peak for _, peak in timings))
    say(f"{rung.title}: {trial.rate:.1f} reviews/s, {trial.lone:.0f} ms alone")
    return trial


def _timed(team: Team, texts: Sequence[str], turn: int) -> tuple[float, int]:
    """Classify the next part of the texts; return reviews/s and bytes."""
    part = texts[turn % PARTS :: PARTS]
    timing = team.judge(part)
    return len(part) / (timing.ended - timing.began), timing.peak_memory


def made_up(manifest: Manifest, count: int = TEXTS) -> list[str]:
    """Return made-up reviews of realistic length: sentences of the golden set, in random order."""
    draw = random.Random(0)
    sentences = [item.text for item in manifest.golden] or ["word"]
    return [_of_length(draw, sentences, WORDS_IN_REVIEW[place % len(WORDS_IN_REVIEW)]) for place in range(count)]


def _of_length(draw: random.Random, sentences: Sequence[str], words: int) -> str:
    text: list[str] = []
    while len(text) < words:
        text += draw.choice(sentences).split()
    return " ".join(text[:words])
