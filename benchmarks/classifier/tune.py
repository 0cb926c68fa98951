"""Which worker processes, threads and micro-batches judge the most reviews on this machine, by trying them.

Called by `verdict tune`; calls `benchmarks.classifier.team` for the measurements. Needs no torch.
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

# Padded tokens of a micro-batch; answers do not depend on it (`batching` in the manifest).
BUDGETS = (640, 1280, 2560, 5120)
# The middles of the ten tenths of IMDb reviews, by their number of words.
WORDS_IN_REVIEW = (62, 107, 126, 141, 161, 186, 220, 276, 372, 587)
TEXTS = 320
# Judged one after the other; each has its share of every length.
PARTS = 5
# Reviews that are judged alone, one after another.
LONE = 20
# Rates nearer to the best than this are one another's noise.
EQUAL = 0.05


@dataclass(frozen=True, slots=True)
class Setting:
    """What `.env` may say: WORKERS, WORKER_THREADS, MICRO_BATCH_TOKENS."""

    workers: int
    threads: int
    token_budget: int


@dataclass(frozen=True, slots=True)
class TuneTrial:
    """What a setting has shown: reviews/s, mean milliseconds of a review that comes alone, bytes of all processes."""

    setting: Setting
    rate: float
    lone: float
    peak_memory: int


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """The model folder at an operating point (None: its default), texts to judge, and how long all may take."""

    model: Path
    point: str | None
    texts: Sequence[str]
    cores: int
    seconds: float


def tune(request: TuneRequest, say: Callable[[str], None]) -> list[TuneTrial]:
    """Try how the cores are shared, then with the best of these the size of micro-batches; in the order tried."""
    budget = load_manifest(request.model).batching.token_budget
    layouts = [Setting(workers, request.cores // workers, budget) for workers in shares(request.cores)]
    each = request.seconds / (len(layouts) + len(BUDGETS))
    trials = [_try(request, setting, each, say) for setting in layouts]
    chosen = best(trials).setting
    others = [replace(chosen, token_budget=size) for size in BUDGETS if size != budget]
    return trials + [_try(request, setting, each, say) for setting in others]


def shares(cores: int) -> list[int]:
    """Return the numbers of processes worth trying: doubled until each has one core."""
    return [count for count in (1 << power for power in range(cores.bit_length())) if count <= cores]


def best(trials: Sequence[TuneTrial]) -> TuneTrial:
    """Return the trial of the highest rate; of those as good within noise, the quickest for a lone review."""
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
    """Judge the next part of the texts, of about the same lengths as every part; return reviews/s and bytes."""
    part = texts[turn % PARTS :: PARTS]
    timing = team.judge(part)
    return len(part) / (timing.ended - timing.began), timing.peak_memory


def made_up(manifest: Manifest, count: int = TEXTS) -> list[str]:
    """Return reviews as long as real ones: sentences of the model's golden set, in random order."""
    draw = random.Random(0)
    sentences = [item.text for item in manifest.golden] or ["word"]
    return [_of_length(draw, sentences, WORDS_IN_REVIEW[place % len(WORDS_IN_REVIEW)]) for place in range(count)]


def _of_length(draw: random.Random, sentences: Sequence[str], words: int) -> str:
    text: list[str] = []
    while len(text) < words:
        text += draw.choice(sentences).split()
    return " ".join(text[:words])
