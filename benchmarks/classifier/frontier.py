"""Evaluate the answers of a benchmark: accuracy and speed at every threshold, and each stage on groups of reviews."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.classifier.benchmark import Benchmark, MeasuredRung
from benchmarks.classifier.ladder import INT8
from benchmarks.classifier.rungs import RungAnswers
from inference.cascade import settled_alone, settling_confidence
from inference.classifier import softmax
from inference.stages import FULL, Cascade

SHORT_WORDS, LONG_WORDS = 50, 500
UNSURE = 0.7
PRAISE = "amazing beautiful best brilliant enjoyed excellent fantastic great loved perfect superb wonderful"
BLAME = "annoying awful bad boring disappointing dull horrible poor stupid terrible waste worst"

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Threshold, accuracy and reviews per second, for every number of reviews that the first stage settles, from 0."""

    thresholds: Floats
    accuracy: Floats
    rates: Floats


@dataclass(frozen=True, slots=True)
class Stage:
    """The answers of one stage: its share of the reviews and its accuracy on them."""

    name: str
    share: float
    accuracy: float


def right(answers: RungAnswers, truth: NDArray[np.int64]) -> Mask:
    """Return which reviews were classified correctly."""
    return np.asarray(answers.probabilities.argmax(axis=1) == truth)


def views(answers: Mapping[str, RungAnswers], served: str) -> dict[str, Floats]:
    """Return the probabilities of each part and of the served model, by the name of their column."""
    if FULL not in answers:
        return {"transformer": answers[INT8].probabilities}
    return {
        "n-grams": softmax(first_logits(answers[FULL])),
        "transformer": answers[INT8].probabilities,
        "both": answers[FULL].probabilities,
        "as served": answers[served].probabilities,
    }


def frontier(found: Benchmark, truth: NDArray[np.int64]) -> Frontier:
    """Return accuracy and speed at every threshold of a model of two stages, from the answers of the rung `full`.

    The seconds at a threshold are linear in the seconds of forward pass of the reviews that are left to the network.
    The line is fitted, for least relative error, to `full` and the operating points, which were measured whole.
    """
    cascade, answers = found.manifest.cascade, found.ladder[FULL].answers
    if cascade is None:
        raise ValueError(f"{found.manifest.name} is a model of one stage")
    confidence = settling_confidence(cascade, first_logits(answers), answers.tokens.tolist())
    order = np.argsort(-confidence, kind="stable")
    count = int(np.isfinite(confidence).sum())  # the others, too short, are left to the network at any threshold
    first = (answers.first.argmax(axis=1) == truth)[order]
    settled = np.concatenate([[0], np.cumsum(first)])
    rest = np.concatenate([[0], np.cumsum(right(answers, truth)[order][::-1])])[::-1]
    forward = np.concatenate([[0], np.cumsum(answers.forward[order][::-1])])[::-1]
    slope, base = _seconds(found, cascade, forward)
    return Frontier(
        thresholds=np.concatenate([[np.inf], confidence[order]])[: count + 1],
        accuracy=((settled + rest) / len(truth))[: count + 1],
        rates=(len(truth) / (base + slope * forward))[: count + 1],
    )


def first_logits(answers: RungAnswers) -> NDArray[np.float32]:
    """Return the logits of the first stage as the cascade computes with them."""
    return answers.first.astype(np.float32)


def settled_at(found: Benchmark, cascade: Cascade, point: str) -> Mask:
    """Return which reviews the first stage classifies alone at an operating point."""
    answers = found.ladder[FULL].answers
    return settled_alone(cascade, first_logits(answers), answers.tokens.tolist(), cascade.threshold(point))


def _seconds(found: Benchmark, cascade: Cascade, forward: Floats) -> tuple[float, float]:
    """Return the slope and the base of the line: seconds per second of forward pass, and seconds of all other work."""
    names = [*cascade.points, FULL]
    settled = [int(settled_at(found, cascade, name).sum()) for name in names]
    taken = [(len(forward) - 1) / found.ladder[name].rate for name in names]
    slope, base = np.polyfit(forward[settled], taken, 1, w=1 / np.array(taken))
    return float(slope), float(base)


def stages(rung: MeasuredRung, truth: NDArray[np.int64]) -> list[Stage]:
    """Return share and accuracy of each stage of a rung."""
    settled, good = rung.answers.settled, right(rung.answers, truth)
    parts = {"n-grams": settled, "transformer": ~settled}
    return [Stage(name, float(part.mean()), _mean(good[part])) for name, part in parts.items()]


def groups(found: Benchmark) -> dict[str, Mask]:
    """Return which reviews are short, long, and mixed; mixed ones have English words of praise and of blame."""
    texts = found.request.reviews.texts
    words = np.array([len(text.split()) for text in texts])
    heard = [set(re.findall("[a-z]+", text.lower())) for text in texts]
    fewer = np.array([min(len(each.intersection(poles.split())) for poles in (PRAISE, BLAME)) for each in heard])
    marked = {
        "all": np.ones(len(texts), dtype=np.bool_),
        f"short (at most {SHORT_WORDS} words)": words <= SHORT_WORDS,
        f"long (over {LONG_WORDS} words)": words > LONG_WORDS,
        "mixed (a word of praise and one of blame)": fewer >= 1,
        "very mixed (two of each)": fewer >= 2,
    }
    if FULL in found.ladder:
        confidence = softmax(first_logits(found.ladder[FULL].answers)).max(axis=1)
        marked[f"n-grams below {UNSURE} sure"] = confidence < UNSURE
    return {name: mask for name, mask in marked.items() if mask.any()}


def accuracy(probabilities: Floats, truth: NDArray[np.int64], part: Mask | None = None) -> float:
    """Return the accuracy on a part of the reviews; NaN if the part is empty."""
    good = probabilities.argmax(axis=1) == truth
    return _mean(good if part is None else good[part])


def _mean(good: Mask) -> float:
    return float(good.mean()) if len(good) else float("nan")
