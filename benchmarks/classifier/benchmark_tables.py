"""The Markdown tables of a benchmark, each as rows of cells."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.classifier.benchmark import Benchmark, MeasuredRung
from benchmarks.classifier.frontier import accuracy, groups, right, stages, views
from benchmarks.classifier.ladder import DISTILBERT, INT8, INT8_SORTED, INT8_TWO_PROCESSES, TWO_PROCESSES
from inference.stages import FULL
from training.metrics import calibration_error

MEBI = 2**20
# The first row is the head, the second the alignment of the columns.
Rows = Sequence[Sequence[str]]


def ladder_rows(found: Benchmark) -> Rows:
    """Return a row for each rung; the seconds for all reviews are in brackets if it classified only a part of them."""
    every = len(found.request.reviews)
    head = ["rung", "reviews classified", "reviews/s (lowest to highest round)", f"seconds for {every:,}", "factor"]
    rows = [[*head, "accuracy", "ECE", "memory, MiB"], ["---", *["---:"] * 7]]
    slowest = found.ladder[DISTILBERT].rate
    for each in found.ladder.values():
        shown = quality(found, each)
        seconds = f"{every / each.rate:,.1f}" if sum(each.counts) >= every else f"({every / each.rate:,.0f})"
        rows.append(
            [
                each.rung.title,
                f"{sum(each.counts):,}",
                f"{each.rate:.1f} ({min(each.rates):.1f} to {max(each.rates):.1f})",
                seconds,
                f"{each.rate / slowest:.1f}",
                _percent(shown["accuracy"]),
                _percent(shown["ece"]),
                f"{each.peak_memory / MEBI:,.0f}",
            ]
        )
    return rows


def quality(found: Benchmark, measured: MeasuredRung) -> dict[str, float | None]:
    """Return accuracy and calibration error of a rung with trained weights that has classified every review."""
    truth, answers = np.asarray(found.request.reviews.labels), measured.answers
    if measured.rung.key == DISTILBERT or np.isnan(answers.probabilities).any():
        return {"accuracy": None, "ece": None}
    good = right(answers, truth)
    ece = calibration_error(answers.probabilities.max(axis=1), good)
    return {"accuracy": float(good.mean()), "ece": ece}


def check_rows(found: Benchmark) -> Rows:
    """Return the speed of the cascade against other rungs, and its accuracy against both stages on every review."""
    ladder, mine = found.ladder, [found.served, TWO_PROCESSES]
    rows = [["against", f"cascade, {found.served}", "in two processes"], ["---", "---:", "---:"]]
    for key in (DISTILBERT, INT8, INT8_SORTED, INT8_TWO_PROCESSES, FULL):
        factors = [f"{ladder[each].rate / ladder[key].rate:.1f} times" for each in mine]
        rows.append([f"speed of {ladder[key].rung.title}", *factors])
    truth = np.asarray(found.request.reviews.labels)
    levels = [100 * float(right(ladder[key].answers, truth).mean()) for key in (FULL, *mine)]
    return [
        *rows,
        [f"accuracy of {ladder[FULL].rung.title}", *(f"{each - levels[0]:+.2f} points" for each in levels[1:])],
    ]


def points(found: Benchmark) -> list[str]:
    """Return the operating points of a model of two stages, the slowest first."""
    cascade = found.manifest.cascade
    return [FULL, *sorted(cascade.points, key=cascade.threshold, reverse=True)] if cascade else []


def stage_rows(found: Benchmark) -> Rows:
    """Return a row for each operating point: the share and the accuracy of either stage."""
    truth, cascade = np.asarray(found.request.reviews.labels), found.manifest.cascade
    head = ["point", "threshold", "answered by n-grams", "of these right", "of the transformer's right", "in all"]
    rows = [head, ["---", *["---:"] * 5]]
    for key in points(found):
        first, second = stages(found.ladder[key], truth)
        threshold = "none" if key == FULL or cascade is None else f"{cascade.threshold(key):.4f}"
        every = quality(found, found.ladder[key])["accuracy"]
        rows.append(
            [
                key,
                threshold,
                _percent(first.share),
                _percent(first.accuracy),
                _percent(second.accuracy),
                _percent(every),
            ]
        )
    return rows


def group_rows(found: Benchmark) -> Rows:
    """Return a row for each group of reviews: the accuracy of each part on all of it, then that of the served model."""
    truth = np.asarray(found.request.reviews.labels)
    parts = views({key: each.answers for key, each in found.ladder.items()}, found.served)
    settled = found.ladder[found.served].answers.settled
    served = right(found.ladder[found.served].answers, truth)
    rows = [["reviews", "n", *parts, "answered by n-grams", "of these right", "of the transformer's right"]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 1)])
    for name, part in groups(found).items():
        both = [part & settled, part & ~settled]
        rows.append(
            [
                name,
                f"{part.sum():,}",
                *(_percent(accuracy(each, truth, part)) for each in parts.values()),
                _percent(both[0].sum() / part.sum()),
                *(_percent(served[each].mean() if each.any() else None) for each in both),
            ]
        )
    return rows


def robustness_rows(found: Benchmark) -> Rows:
    """Return a row for each kind of hard review: correct answers of each part, and reviews settled by n-grams."""
    return list(_kinds(found))


def _kinds(found: Benchmark) -> Iterator[list[str]]:
    every: list[list[int]] = []
    names: list[str] = []
    for kind in found.kinds:
        answers, truth = found.tried[kind.name], np.asarray(kind.labels)
        parts = views(answers, found.served)
        if not names:
            names = list(parts)
            yield ["kind", "n", *names, "answered by n-grams"]
            yield ["---", *["---:"] * (len(names) + 2)]
        right_ones = [int((each.argmax(axis=1) == truth).sum()) for each in parts.values()]
        every.append([len(truth), *right_ones, int(answers[found.served].settled.sum())])
        yield [kind.name, *map(str, every[-1])]
    if every:
        count, *right_of, settled = (sum(column) for column in zip(*every, strict=True))
        yield ["all", str(count), *(f"{each} ({each / count:.0%})" for each in right_of), str(settled)]


def _percent(value: float | None) -> str:
    return "n/a" if value is None or np.isnan(value) else f"{100 * value:.1f} %"


def markdown(rows: Rows) -> str:
    """Return rows as a Markdown table."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
