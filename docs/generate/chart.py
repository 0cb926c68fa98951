"""`pictures/figures.svg`: three measured figures as bars, read from the tables of model.md and load.md.

The chart holds no number of its own: a figure that changes in its table changes the chart, and a table without the row
ends the program.
"""

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from settings import ROOT

MODEL, LOAD = "model.md", "load.md"
OURS, OTHERS = "#3f51b5", "#b0b4c8"
STYLE: dict[Any, Any] = {"svg.hashsalt": "verdict", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}


def chart() -> str:
    """Return the picture as SVG, the same bytes for the same tables."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 2.1), layout="constrained")
        classifier, service, accuracy = figure.subplots(1, 3)
        _bars(classifier, "Classifier alone: reviews/s", {
            "torch float32,\nDistilBERT's size": _cell(MODEL, "torch float32 of DistilBERT's size, one at a time", 2),
            "our network alone,\nint8": _cell(MODEL, "int8, one at a time", 2),
            "Verdict's two\nstages": _cell(MODEL, "cascade, balanced", 2),
        })  # fmt: skip
        _bars(service, "Service: reviews/s within the promises", {
            "FastAPI over\nONNX Runtime": _cell(LOAD, "reference, within our promises (mean 200, p95 500 ms)", 1),
            "Verdict, queue\nand store": _cell(LOAD, "Verdict, within our promises and at most 1 % refused", 1),
        })  # fmt: skip
        _bars(accuracy, "Accuracy, mean of 23 kinds: %", {
            "version 2": _cell(MODEL, "mean of the kinds", 2), "version 4": _cell(MODEL, "mean of the kinds", 4),
        })  # fmt: skip
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None}, transparent=False, facecolor="white")
    return re.sub(r"[ \t]+$", "", written.getvalue(), flags=re.MULTILINE)


def _cell(document: str, row: str, column: int) -> float:
    """Return the first number in a cell of the only row of a document that starts with `row`."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    (line,) = [each for each in text.splitlines() if each.startswith(f"| {row} |")]
    return float(re.findall(r"[\d.]+", line.split("|")[column + 1])[0])


def _bars(axes: Axes, title: str, values: dict[str, float]) -> None:
    colours = [OTHERS] * (len(values) - 1) + [OURS]
    bars = axes.barh(list(values), list(values.values()), color=colours, height=0.62)
    axes.bar_label(bars, fmt="%g", padding=3)
    axes.set_title(title, fontsize=9.5, loc="left")
    axes.invert_yaxis()
    axes.set_xlim(0, max(values.values()) * 1.18)
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
