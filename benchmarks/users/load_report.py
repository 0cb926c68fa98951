"""The report of a load test as JSON, Markdown and plots."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.common.machine import machine
from benchmarks.common.tables import Rows, markdown
from benchmarks.users.figures import LoadFigures, Promise, slices
from benchmarks.users.load_plots import draw
from benchmarks.users.reconcile import ReconciledLine
from benchmarks.users.trial import LoadTrial
from benchmarks.users.user_model import MIXES, ROWS, Plan, rows_per_visit

GENERATOR = (
    "{cpu_ms_per_request} ms of CPU a request, {cores} cores; late by {lag_ms_p50} ms (p50), {lag_ms_p99} ms (p99)"
)
SLICES = 60  # of a run, in the plots and the JSON


class Report:
    """The sections of one report, which are written together."""

    def __init__(self, name: str, title: str) -> None:
        self.date = datetime.now(UTC).isoformat(timespec="seconds")
        self.facts = machine()  # before the run, since it includes the load of the machine
        self.figures: dict[str, Any] = {}
        self._name, self._lines = name, [f"# {title}, {self.date}", ""]
        self._plots: list[tuple[str, LoadTrial]] = []
        self.say(", ".join(f"{fact} {value}" for fact, value in self.facts.items()) + ".")

    def say(self, text: str) -> None:
        """Add a paragraph."""
        self._lines += [text, ""]

    def table(self, title: str, rows: Rows) -> None:
        """Add a section with one table, whose first row is the head."""
        self._lines += markdown(title, rows)

    def trial(self, trial: LoadTrial, name: str) -> None:
        """Add all sections of one run."""
        self.figures[name] = document(trial)
        self._plots.append((name, trial))
        self.say(described(trial))
        for title, rows in sections(trial).items():
            self.table(title, rows)
        for warning in trial.warnings:
            self.say(f"Note: {warning}.")

    def write(self, folder: Path) -> Path:
        """Write `<name>-<date>.json`, `.md` and a `.png` for each run; return the path of the Markdown file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self._name}-{self.date[:19].replace(':', '')}.md"
        for name, trial in self._plots:
            plot = path.with_name(f"{path.stem}-{name.replace(' ', '-')}.png")
            draw(plot, trial, _slices(trial))
            self._lines += [f"![{name}]({plot.name})", ""]
        content = {"date": self.date, "environment": self.facts} | self.figures
        path.with_suffix(".json").write_text(json.dumps(_finite(content), indent=2) + "\n")
        path.write_text("\n".join(self._lines))
        return path


def described(trial: LoadTrial) -> str:
    """Describe the users of a run, their visits and their rates."""
    plan = trial.load.plan
    mix = ", ".join(f"{share:.1%} {kind} ({_rows(kind)})" for kind, share in MIXES[plan.mix].items())
    phases = "; ".join(_phase(plan, place) for place in range(len(plan.phases)))
    stay = "" if trial.load.returning == 1 else f" {trial.load.returning:.0%} of the refused users retry."
    return (
        f"{plan.users} users, {mix}; {rows_per_visit(MIXES[plan.mix]):.2f} reviews a visit. {phases}.{stay}"
        f" The time between two starts of a user is uniform between half and one and a half of that."
        f" Reviews of {trial.recording.dataset}."
    )


def _rows(kind: Any) -> str:
    low, high = ROWS[kind]
    return f"{low} to {high} reviews" if low < high else f"{low} review{'s' * (low > 1)}"


def _phase(plan: Plan, place: int) -> str:
    phase, cycle = plan.phases[place], plan.cycle(plan.starts[place])
    return f"{phase.seconds:g} s at {phase.rate:g} reviews/s offered, a visit of each user every {cycle:.2f} s"


def document(trial: LoadTrial) -> dict[str, Any]:
    """Return a run as JSON."""
    plan = trial.load.plan
    return {
        "plan": {"users": plan.users, "mix": plan.mix, "phases": [asdict(phase) for phase in plan.phases]},
        "dataset": trial.recording.dataset,
        "sla": [asdict(each) | {"held": each.held} for each in trial.figures.promises()],
        "figures": asdict(trial.figures),
        "stored_mean_ms": trial.stored_mean_ms,
        "generator": trial.generator,
        "counts": [asdict(line) | {"equal": line.equal} for line in trial.lines],
        "counts_in_prometheus": [asdict(line) | {"equal": line.equal} for line in trial.scraped_lines],
        "unfinished": trial.unfinished,
        "failures": _failures(trial),
        "warnings": trial.warnings,
        "slices": [asdict(each) for each in _slices(trial)],
        "resources": [asdict(each) for each in trial.samples],
    }


def _slices(trial: LoadTrial) -> Any:
    seconds = trial.load.plan.seconds
    return slices(trial.recording.visits, seconds, max(seconds / SLICES, 1.0))


def _failures(trial: LoadTrial) -> dict[str, int]:
    whys = [visit.why for visit in trial.recording.visits if visit.why]
    return {why: whys.count(why) for why in sorted(set(whys))[:20]}


def sections(trial: LoadTrial) -> dict[str, Rows]:
    """Return the tables of a run by title, without empty ones."""
    tables = {
        "SLA": promises_table(trial.figures.promises()),
        "Figures": _figures_table(trial),
        "Latency by kind of visit, milliseconds from submission to result": _latency_table(trial.figures),
        "Refused callers": _refusals_table(trial.figures),
        "Counted three times: load generator, metrics, SQL": _lines_table(trial.lines),
        "Counted by a real Prometheus": _lines_table(trial.scraped_lines),
        "Resources": _resources_table(trial),
        "Failures": [("failure", "visits"), *((why, str(count)) for why, count in _failures(trial).items())],
    }
    return {title: rows for title, rows in tables.items() if len(rows) > 1}


def promises_table(promises: Sequence[Promise]) -> Rows:
    """Return each promise and whether it was held."""
    held = {True: "yes", False: "**no**", None: "not measured"}
    rows = [(each.name, _number(each.figure), f"{each.limit:g}", held[each.held]) for each in promises]
    return [("promise", "figure", "limit", "held"), *rows]


def _figures_table(trial: LoadTrial) -> Rows:
    figures, generator = trial.figures, trial.generator
    unfinished = "unknown" if trial.unfinished is None else str(trial.unfinished)
    return [
        ("figure", "value"),
        ("reviews with a result", f"{figures.reviews}, {figures.reviews_per_second:.1f} a second"),
        ("requests", f"{generator['requests']}, {generator['requests_per_second']:.1f} a second"),
        (
            "visits",
            f"{figures.visits}: {figures.answered} answered, {figures.failed} failed, {figures.left} left when refused",
        ),
        ("submission to stored result, interactive, mean (workers' metric)", f"{_number(trial.stored_mean_ms)} ms"),
        ("accepted and never ended", unfinished),
        ("load generator", GENERATOR.format_map(generator)),
    ]


def _latency_table(figures: LoadFigures) -> Rows:
    rows = {"interactive, all": figures.interactive} | {str(kind): each for kind, each in figures.by_kind.items()}
    return [
        ("visits", "reviews", "mean", "p50", "p95", "p99", "longest"),
        *(
            (kind, str(each.reviews), *map(_number, (each.mean, each.p50, each.p95, each.p99, each.longest)))
            for kind, each in rows.items()
        ),
    ]


def _refusals_table(figures: LoadFigures) -> Rows:
    found = figures.refusals
    if not found.visits:
        return []
    return [
        ("figure", "value"),
        ("visits refused at first", f"{found.visits} of {figures.visits}"),
        ("refusals", str(found.refusals)),
        ("admitted in the end", str(found.admitted)),
        ("Retry-After, median", f"{_number(found.told_seconds)} s"),
        ("time until admitted, median", f"{_number(found.waited_seconds)} s"),
        ("time until admitted over Retry-After, median", _number(found.ratio)),
        ("share within a factor of 2", _number(found.within_factor_2)),
    ]


def _lines_table(lines: Sequence[ReconciledLine]) -> Rows:
    rows = [
        (line.what, *("" if count is None else str(count) for count in (line.load, line.metrics, line.store)),
         "yes" if line.equal else "**no**")
        for line in lines
    ]  # fmt: skip
    return [("count", "load", "metrics", "SQL", "equal"), *rows]


def _resources_table(trial: LoadTrial) -> Rows:
    samples = trial.samples
    groups = list(dict.fromkeys(group for sample in samples for group in sample.cores))
    rows = []
    for group in groups:
        cores = [sample.cores.get(group, 0.0) for sample in samples]
        memory = max(sample.megabytes.get(group, 0.0) for sample in samples)
        rows.append((group, f"{fmean(cores):.2f}", f"{max(cores):.2f}", f"{memory:.0f}"))
    if samples:
        machine_cores = [sample.machine for sample in samples]
        rows.append(("the whole machine", f"{fmean(machine_cores):.2f}", f"{max(machine_cores):.2f}", ""))
    return [("processes", "cores, mean", "cores, most", "memory, most, MB"), *rows]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}" if abs(value) < 10 else f"{value:.1f}"


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON lacks, by None."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {str(name): _finite(each) for name, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
    return value
