"""Plot a run: latency, throughput, CPU and memory over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.users.figures import Slice
from benchmarks.users.trial import LoadTrial
from monitoring.sla import MEAN_MS, P95_MS

PERCENTILES = ("p50", "mean", "p95", "p99")


def draw(path: Path, trial: LoadTrial, slices: Sequence[Slice]) -> None:
    """Write one image of four panels over the same time axis; needs matplotlib."""
    from matplotlib.figure import Figure  # noqa: PLC0415  a heavy import that figures alone do not need

    figure = Figure(figsize=(12, 9), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    _latency(panels[0][0], slices)
    _throughput(panels[0][1], trial, slices)
    _resource(panels[1][0], trial, "cores", "CPU, cores busy")
    _resource(panels[1][1], trial, "megabytes", "memory, MB (proportional)")
    for panel in panels.flat:
        for start in trial.load.plan.starts[1:]:
            panel.axvline(start, color="grey", linestyle=":", linewidth=1)
        panel.set_xlim(0, trial.load.plan.seconds)
        panel.set_ylim(bottom=0)
        panel.grid(visible=True, alpha=0.3)
        panel.legend(fontsize="small", loc="upper left")
    for panel in panels[1]:
        panel.set_xlabel("seconds")
    figure.savefig(path, dpi=100)


def _latency(panel: Any, slices: Sequence[Slice]) -> None:
    starts = [each.start for each in slices]
    for name in PERCENTILES:
        panel.plot(starts, [getattr(each.latency, name) for each in slices], label=name)
    panel.axhline(MEAN_MS, color="tab:orange", linestyle="--", linewidth=1, label="limit of the mean")
    panel.axhline(P95_MS, color="tab:green", linestyle="--", linewidth=1, label="limit of p95")
    panel.set_title("interactive reviews, submit to result, ms")


def _throughput(panel: Any, trial: LoadTrial, slices: Sequence[Slice]) -> None:
    starts = [each.start for each in slices]
    panel.plot(starts, [each.reviews_per_second for each in slices], label="reviews/s with a result")
    if any(each.refusals_per_second for each in slices):
        panel.plot(starts, [each.refusals_per_second for each in slices], label="refusals/s")
    plan = trial.load.plan
    edges = [*plan.starts, plan.seconds]
    panel.stairs([phase.rate for phase in plan.phases], edges, label="reviews/s offered", linestyle="--", baseline=None)
    panel.set_title("throughput")


def _resource(panel: Any, trial: LoadTrial, field: str, title: str) -> None:
    samples = trial.samples
    times = [sample.at - trial.recording.began_at for sample in samples]
    groups = sorted({group for sample in samples for group in getattr(sample, field)})
    values = [[getattr(sample, field).get(group, 0.0) for sample in samples] for group in groups]
    if groups:
        panel.stackplot(times, values, labels=groups)
    if field == "cores":
        panel.plot(times, [sample.machine for sample in samples], color="black", linewidth=1, label="whole machine")
    panel.set_title(title)
