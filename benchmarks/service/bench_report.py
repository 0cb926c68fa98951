"""The figures of `make bench` as a table, JSON and Markdown."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from rich.console import Console

from benchmarks.common.machine import machine
from benchmarks.common.tables import markdown, show_table
from benchmarks.service.measurements import Rate, Singles
from inference.classifier import ModelInfo

Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class BenchResult:
    """All figures of one run; `offline` was measured before and after `jobs_of_100`."""

    date: str
    environment: dict[str, str]
    dataset: str
    reviews: int
    offline: list[Rate]
    jobs_of_100: Rate
    singles: list[Singles]

    @property
    def offline_per_second(self) -> float:
        """The mean of the two rates of the classifier alone."""
        return mean(rate.per_second for rate in self.offline)

    def ratios(self) -> dict[str, float]:
        """Return the rates of the service divided by that of the classifier alone."""
        rates = {"jobs of 100": self.jobs_of_100} | {f"singles, {each.concurrency}": each.rate for each in self.singles}
        return {name: round(rate.per_second / self.offline_per_second, 3) for name, rate in rates.items()}


def environment(model: ModelInfo, threads: int) -> dict[str, str]:
    """Return the model and the machine of the figures."""
    return {
        "model": f"{model.name} {model.version} ({model.precision}, {model.max_tokens} tokens)",
        "inference threads": str(threads),
        **machine(),
    }


def show(bench: BenchResult) -> None:
    """Print the tables."""
    console = Console()
    for title, rows in _tables(bench).items():
        show_table(console, title, rows)


def write(bench: BenchResult, folder: Path) -> None:
    """Write `bench-<date>.json` and `.md`, and print their path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"bench-{bench.date[:19].replace(':', '')}.json"
    figures = asdict(bench) | {"offline_per_second": bench.offline_per_second, "ratios": bench.ratios()}
    path.write_text(json.dumps(figures, indent=2) + "\n")
    path.with_suffix(".md").write_text(_markdown(bench))
    print(f"{path} and .md")


def _markdown(bench: BenchResult) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in bench.environment.items())
    lines = [f"# Benchmark of {bench.date}", "", f"{bench.reviews} reviews of {bench.dataset}; {facts}.", ""]
    for title, rows in _tables(bench).items():
        lines += markdown(title, rows)
    return "\n".join(lines)


def _tables(bench: BenchResult) -> dict[str, Rows]:
    return {
        "Throughput": _throughput(bench),
        "Single reviews with `Prefer: wait`, milliseconds (p50 / p95 / p99)": _latency(bench),
        "CPU milliseconds per review": _cpu(bench),
    }


def _throughput(bench: BenchResult) -> Rows:
    ratios = list(bench.ratios().values())
    rows: Rows = [("what", "reviews", "seconds", "reviews/s", "of the classifier alone")]
    for place, rate in zip(("before", "after"), bench.offline, strict=True):
        rows.append((f"classifier alone, {place}", *_rate(rate), f"{rate.per_second / bench.offline_per_second:.3f}"))
    rows.append(("jobs of 100", *_rate(bench.jobs_of_100), f"{ratios[0]:.3f}"))
    for each, ratio in zip(bench.singles, ratios[1:], strict=True):
        rows.append((f"singles, {each.concurrency} at a time", *_rate(each.rate), f"{ratio:.3f}"))
    return rows


def _rate(rate: Rate) -> tuple[str, str, str]:
    return str(rate.reviews), f"{rate.seconds:.1f}", f"{rate.per_second:.1f}"


def _latency(bench: BenchResult) -> Rows:
    rows: Rows = [("at a time", "end to end", "inference", "queued", "end to end less inference")]
    for each in bench.singles:
        spreads = (each.end_to_end, each.inference, each.queued, each.besides)
        rows.append((str(each.concurrency), *(f"{some.p50:.1f} / {some.p95:.1f} / {some.p99:.1f}" for some in spreads)))
    return rows


def _cpu(bench: BenchResult) -> Rows:
    columns = {"classifier alone": bench.offline[0], "jobs of 100": bench.jobs_of_100}
    columns |= {f"singles, {each.concurrency}": each.rate for each in bench.singles}
    parts = list(dict.fromkeys(part for rate in columns.values() for part in rate.cpu_ms))
    rows: Rows = [("part", *columns)]
    rows += [(part, *(f"{rate.cpu_ms.get(part, 0.0):.2f}" for rate in columns.values())) for part in parts]
    rows.append(("all", *(f"{sum(rate.cpu_ms.values()):.2f}" for rate in columns.values())))
    return rows
