import json
from pathlib import Path

from benchmarks.common.spread import Spread
from benchmarks.service.bench_report import BenchResult, show, write
from benchmarks.service.measurements import Rate, Singles

CLIENT = {"load client": 0.2}
RATE = Rate(100, 2.0, 50.0, CLIENT)
SPREAD = Spread(1.0, 2.0, 3.0)
BENCH = BenchResult(
    date="2026-11-21T20:00:00+00:00",
    environment={"model": "default 1 (int8)"},
    dataset="some.parquet",
    reviews=100,
    offline=[Rate(100, 1.0, 100.0, CLIENT), Rate(100, 1.25, 80.0, CLIENT)],
    jobs_of_100=Rate(100, 1.111, 90.0, CLIENT | {"api": 0.5}),
    singles=[Singles(16, RATE, SPREAD, SPREAD, SPREAD, SPREAD)],
)


def test_ratios_are_over_the_mean_of_the_classifier_before_and_after() -> None:
    assert BENCH.ratios() == {"jobs of 100": 1.0, "singles, 16": 0.556}


def test_json_holds_every_figure_and_markdown_every_row(tmp_path: Path) -> None:
    show(BENCH)
    write(BENCH, tmp_path)
    [written] = tmp_path.glob("*.json")
    figures = json.loads(written.read_text())
    assert figures["ratios"]["jobs of 100"] == 1.0
    assert figures["singles"][0]["besides"] == {"p50": 1.0, "p95": 2.0, "p99": 3.0}
    markdown = written.with_suffix(".md").read_text()
    assert "| jobs of 100 | 100 | 1.1 | 90.0 | 1.000 |" in markdown
    assert "| api | 0.00 | 0.50 | 0.00 |" in markdown
