"""A rung of the benchmark's ladder: one way to serve, loaded and timed in a separate process."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inference import onnx
from inference.batching import micro_batches
from inference.classifier import Classifier, Encoded
from inference.loading import load_classifier, tokeniser_of
from inference.manifest import load_manifest

# The most reviews that a worker claims, and so sorts, at a time (CLAIM_REVIEWS).
CLAIM = 64


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to classify reviews with the model folder `model`, and how it is measured.

    `files` is the folder to load: a model folder, or a training run for torch. `window` reviews are tokenised at a
    time. With a token budget they are sorted into micro-batches while the next window is tokenised, as a worker does;
    without one they are forwarded in their order. `reviews` (None: all) are classified once over all rounds; with
    `each_round` all reviews are classified in each round.
    """

    key: str
    title: str
    backend: Literal["distilbert", "torch", "onnx", "served"]
    model: Path
    files: Path
    threads: int
    window: int = 1
    token_budget: int | None = None
    point: str | None = None
    processes: int = 1
    reviews: int | None = None
    each_round: bool = False


@dataclass(frozen=True, slots=True)
class RungAnswers:
    """Answers by row: probabilities [rows, labels], seconds of forward pass, and tokens of the whole review.

    `settled` marks the reviews that the first stage has classified alone. `first` has its calibrated logits [rows,
    labels], NaN for models of one stage.
    """

    probabilities: NDArray[np.float64]
    first: NDArray[np.float64]
    settled: NDArray[np.bool_]
    forward: NDArray[np.float64]
    tokens: NDArray[np.int64]

    @classmethod
    def none(cls, rows: int, labels: int) -> "RungAnswers":
        """Return an object without answers: NaN, so that a missing one is found."""
        empty = np.full((rows, labels), np.nan)
        return cls(empty, empty.copy(), np.zeros(rows, dtype=np.bool_), np.zeros(rows), np.zeros(rows, dtype=np.int64))

    def put(self, rows: Sequence[int] | slice, others: "RungAnswers") -> None:
        """Copy the answers to some rows from `others`."""
        for mine, theirs in zip(self.arrays(), others.arrays(), strict=True):
            mine[rows] = theirs

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return every column."""
        return self.probabilities, self.first, self.settled, self.forward, self.tokens


@dataclass(frozen=True, slots=True)
class Timing:
    """Begin and end of a measurement in seconds of the monotonic clock, the peak memory in bytes, and the answers."""

    began: float
    ended: float
    peak_memory: int
    answers: RungAnswers


@cache
def opened(rung: Rung) -> Classifier:
    """Return the classifier of a rung, loaded once in each process."""
    if rung.backend == "served":
        return load_classifier(rung.model, threads=rung.threads, point=rung.point)
    manifest = load_manifest(rung.model)
    info = replace(manifest.info(), stage="transformer")
    tokeniser = tokeniser_of(rung.model, manifest)
    if rung.backend == "onnx":
        return onnx.load(rung.files, info, tokeniser, pad_id=manifest.pad_id, threads=rung.threads)
    from training import baselines  # noqa: PLC0415 - imports torch, which serving does not need

    if rung.backend == "torch":
        return baselines.trained(rung.files, tokeniser, info, manifest.pad_id, rung.threads)
    return baselines.distilbert_sized(tokeniser, info, manifest.pad_id, rung.threads)


def measure(rung: Rung, texts: Sequence[str]) -> Timing:
    """Classify texts as the rung describes and return answers and times, without the loading of the model."""
    classifier = opened(rung)
    answers = RungAnswers.none(len(texts), len(classifier.info.labels))
    place = 0
    began = time.monotonic()
    for encoded in _tokenised(classifier, rung, texts):
        for group in _groups(encoded, rung.token_budget):
            batch = [encoded[index] for index in group]
            answers.put([place + index for index in group], _classify(classifier, batch))
        place += len(encoded)
    return Timing(began, time.monotonic(), peak_memory(), answers)


def _tokenised(classifier: Classifier, rung: Rung, texts: Sequence[str]) -> Iterator[list[Encoded]]:
    rest = iter(texts)
    windows = iter(lambda: list(islice(rest, rung.window)), [])
    return map(classifier.tokenise, windows) if rung.token_budget is None else _ahead(classifier.tokenise, windows)


def _ahead(step: Callable[[Sequence[str]], list[Encoded]], windows: Iterator[Sequence[str]]) -> Iterator[list[Encoded]]:
    """Yield `step(window)` of each window, while another thread computes the next one."""
    with ThreadPoolExecutor(1) as thread:
        pending = [thread.submit(step, window) for window in islice(windows, 2)]
        while pending:
            yield pending.pop(0).result()
            pending += [thread.submit(step, window) for window in islice(windows, 1)]


def _groups(encoded: Sequence[Encoded], token_budget: int | None) -> list[list[int]]:
    return [list(range(len(encoded)))] if token_budget is None else micro_batches(encoded, token_budget)


def _classify(classifier: Classifier, batch: Sequence[Encoded]) -> RungAnswers:
    began = time.monotonic()
    logits = classifier.forward(batch)
    seconds = (time.monotonic() - began) / len(batch)
    answers = RungAnswers.none(len(batch), logits.shape[1])
    for row, (review, answer) in enumerate(zip(batch, classifier.postprocess(batch, logits), strict=True)):
        answers.probabilities[row] = list(answer.probabilities.values())
        answers.settled[row], answers.forward[row], answers.tokens[row] = review.settled, seconds, review.tokens
        if review.first is not None:
            answers.first[row] = review.first
    return answers


def peak_memory() -> int:
    """Return the peak memory of this process, in bytes."""
    # Not getrusage: its value survives exec, so a child process would report the memory of its parent.
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")
