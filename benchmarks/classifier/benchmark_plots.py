"""The plots of a benchmark: the ladder, the frontier of accuracy and speed, and the reliability of confidence."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from benchmarks.classifier.benchmark import Benchmark
from benchmarks.classifier.frontier import frontier, right
from benchmarks.classifier.ladder import DISTILBERT, INT8, INT8_SORTED, TWO_PROCESSES
from inference.stages import FULL

BINS = 10


def draw(found: Benchmark, folder: Path) -> list[Path]:
    """Write the plots into a folder and return their paths; a model of one stage has no frontier."""
    plots = {"ladder": ladder_plot, "reliability": reliability_plot}
    if FULL in found.ladder:
        plots["frontier"] = frontier_plot
    paths = [folder / f"{name}.png" for name in plots]
    for path, plot in zip(paths, plots.values(), strict=True):
        plot(found).savefig(path, dpi=120)
    return paths


def ladder_plot(found: Benchmark) -> Figure:
    """Plot a bar for each rung: reviews per second, the span of its rounds, and the factor over the slowest."""
    rungs = list(found.ladder.values())
    rates = [each.rate for each in rungs]
    figure = Figure(figsize=(9, 0.42 * len(rungs) + 1.2), layout="constrained")
    panel = figure.subplots()
    spans = [[each.rate - min(each.rates) for each in rungs], [max(each.rates) - each.rate for each in rungs]]
    colours = ["tab:blue" if each.rung.backend == "served" else "tab:gray" for each in rungs]
    panel.barh(range(len(rungs)), rates, color=colours, xerr=np.maximum(spans, 0), ecolor="black", capsize=2)
    for place, each in enumerate(rungs):
        words = f"  {each.rate:.1f}  ({each.rate / found.ladder[DISTILBERT].rate:.1f} times)"
        panel.text(max(each.rates), place, words, va="center", fontsize=8)
    panel.set_yticks(range(len(rungs)), [each.rung.title for each in rungs], fontsize=8)
    panel.invert_yaxis()  # the slowest rung on top, as in the table
    panel.set_xlim(0, 1.3 * max(max(each.rates) for each in rungs))
    panel.set_xlabel("reviews a second")
    panel.grid(axis="x", alpha=0.3)
    return figure


def frontier_plot(found: Benchmark) -> Figure:
    """Plot accuracy over reviews per second: a line for all thresholds, dots for operating points and other rungs."""
    truth = np.asarray(found.request.reviews.labels)
    line, full = frontier(found, truth), found.ladder[FULL]
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    panel = figure.subplots()
    panel.plot(line.rates, 100 * line.accuracy, color="tab:blue", alpha=0.6, label="every threshold (speed fitted)")
    level, error = (100 * value for value in _share(right(full.answers, truth)))
    panel.axhspan(level - error, level + error, color="tab:blue", alpha=0.08, label="± 1 standard error at full")
    points = {"full": "s", "accurate": "^", "balanced": "o", "fast": "v"}
    shown = {key: (marker, "tab:blue", key) for key, marker in points.items() if key in found.ladder}
    shown |= {
        TWO_PROCESSES: ("o", "tab:green", f"{found.served}, in two processes"),
        INT8: ("D", "tab:gray", "int8 transformer alone, one at a time"),
        INT8_SORTED: ("X", "tab:gray", "int8 transformer alone, sorted"),
    }
    for key, (marker, colour, name) in shown.items():
        each = found.ladder[key]
        spans = [[each.rate - min(each.rates)], [max(each.rates) - each.rate]]
        height, reach = 100 * right(each.answers, truth).mean(), np.maximum(spans, 0)
        panel.errorbar(each.rate, height, xerr=reach, label=name, fmt=marker, color=colour, capsize=3)
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter("")
    panel.set_xlabel("reviews a second (bars: slowest and quickest round)")
    panel.set_ylabel(f"accuracy [%] on {len(truth):,} reviews")
    panel.grid(which="both", alpha=0.25)
    panel.legend(fontsize=8, loc="center left")
    return figure


def reliability_plot(found: Benchmark) -> Figure:
    """Plot the accuracy of the served model by confidence, and the number of reviews by confidence."""
    truth, answers = np.asarray(found.request.reviews.labels), found.ladder[found.served].answers
    confidence, good = answers.probabilities.max(axis=1), right(answers, truth)
    lowest = 1 / answers.probabilities.shape[1]
    edges = np.linspace(lowest, 1, BINS + 1)
    which = np.clip(np.digitize(confidence, edges) - 1, 0, BINS - 1)
    figure = Figure(figsize=(6, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([lowest, 1], [lowest, 1], "--", color="tab:gray", label="as often right as sure")
    for place in np.unique(which):
        share, error = _share(good[which == place])
        upper.errorbar(confidence[which == place].mean(), share, yerr=error, fmt="o", color="tab:blue", capsize=3)
    upper.set_ylabel("right (± 1 standard error)")
    upper.legend(fontsize=8)
    lower.bar(edges[:-1], np.bincount(which, minlength=BINS), width=np.diff(edges), align="edge", color="tab:blue")
    lower.set_xlabel("confidence")
    lower.set_ylabel("reviews")
    for panel in (upper, lower):
        panel.grid(alpha=0.3)
    return figure


def _share(good: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the share of correct answers and its standard error, which is above 0 even if all are correct."""
    count = len(good)
    smoothed = (good.sum() + 1) / (count + 2)
    return float(good.mean()), float(np.sqrt(smoothed * (1 - smoothed) / count))
