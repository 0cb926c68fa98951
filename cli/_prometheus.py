"""Figures of the SLA from a Prometheus that scrapes the service: counters and histograms of monitoring.metrics.

It queries raw series, so no recording rule is needed. Counts are estimates, since Prometheus has only samples; ratios,
means and percentiles are hardly affected.
"""

import math
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from cli._answers import fetch
from monitoring.sla import (
    CALLS,
    P95_MS,
    Measured,
    Unfinished,
    all_met,
    headline,
    judge,
    resource,
    served,
    window_of,
    with_overdue,
)
from verdict_cli.output import CommandError

JOBS = 'job=~"api|worker|maintenance"'
ROWS = 'verdict_results_total{status=~"%s",reason=~"|exhausted"}'
RESULTS = 'verdict_result_seconds_%s{lane="interactive"%s}'
FEEDBACK = "verdict_feedback_total%s"
NOW = 'max({}{{job="api"}} >= 0)'  # the API processes that reach PostgreSQL
USED = "max_over_time(verdict_container_memory_bytes[{0}])"
MEMORY = f"max({USED} / (max_over_time(verdict_container_memory_limit_bytes[{{0}}]) > 0))"
# Rounded to 5 %: CPU time is not read at the instant of the scrape, and a busy worker is at its limit.
CPU = (
    "round(max(rate(verdict_container_cpu_seconds_total[{0}])"
    " / (max_over_time(verdict_container_cpu_limit_cores[{0}]) > 0)), 0.05)"
)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus server, queried at one instant, so that all figures come from the same samples."""

    url: str
    window: str
    at: float = field(default_factory=time.time)

    def value(self, expression: str) -> float | None:
        """Return the single value of an expression; None if it has none."""
        query = {"query": expression, "time": f"{self.at:.3f}"}
        answer = fetch(self.url, "/api/v1/query", query, hint="is --prometheus the address of a Prometheus?")
        try:
            found = answer["data"]["result"]
            value = float(found[0]["value"][1]) if found else math.nan
        except (KeyError, TypeError, IndexError, ValueError) as exc:
            raise CommandError(f"{self.url} answered, but not as Prometheus does: is the address right?") from exc
        return value if math.isfinite(value) else None

    def count(self, series: str) -> int:
        """Return the growth of counters in the window, over all processes."""
        return round(self.value(f"sum({_grown(series, self.window)})") or 0)


def verdict(url: str, window: str) -> dict[str, Any]:
    """Return the targets as `GET /v1/sla` does, with memory and CPU."""
    prometheus = Prometheus(url, window)
    scraped = prometheus.value(f"count(last_over_time(up{{{JOBS}}}[{window}]))")
    if not scraped:
        raise CommandError(f"{url} has scraped no process of Verdict in the last {window}")
    unfinished = _unfinished(prometheus)
    verdicts = [
        *judge(with_overdue(_measured(prometheus), unfinished)),
        served(unfinished.waiting, unfinished.stranded),
        resource("memory", "Memory, of its limit", prometheus.value(MEMORY.format(window)), int(scraped)),
        resource("cpu", "CPU, of its limit", prometheus.value(CPU.format(window)), int(scraped)),
    ]
    return {
        "window": window,
        "measured_at": datetime.fromtimestamp(prometheus.at, UTC).isoformat(),
        "met": all_met(verdicts),
        "headline": headline(verdicts, unfinished),
        "targets": [asdict(each) for each in verdicts],
    }


def _unfinished(prometheus: Prometheus) -> Unfinished:
    """Return the rows without a result now; the metrics do not name the models that lack a worker."""

    def now(name: str) -> float:
        return prometheus.value(NOW.format(name)) or 0.0

    return Unfinished(
        overdue=int(now("verdict_overdue_reviews")),
        overdue_seconds=now("verdict_overdue_review_seconds"),
        waiting=int(now("verdict_unfinished_rows")),
        stranded=int(now("verdict_stranded_rows")),
        stranded_seconds=now("verdict_stranded_oldest_seconds"),
        stranded_models=("some model",),
        any_live=now("verdict_workers_live") > 0,
    )


def _measured(prometheus: Prometheus) -> Measured:
    count, window = prometheus.count, prometheus.window
    reviews, fast = count(RESULTS % ("count", "")), count(RESULTS % ("bucket", f',le="{P95_MS / 1000:g}"'))
    seconds = prometheus.value(f"sum({_grown(RESULTS % ('sum', ''), window)})")
    quantile = f"histogram_quantile(0.95, sum by (le) ({_grown(RESULTS % ('bucket', ''), window)}))"
    p95 = prometheus.value(quantile)
    return Measured(
        requests=sum(count(each % "") for each in CALLS),
        requests_failed=sum(count(each % ',status=~"5.."') for each in CALLS),
        rows=count(ROWS % "succeeded|failed|expired"),
        rows_failed=count(ROWS % "failed|expired"),
        reviews=reviews,
        reviews_slow=max(reviews - fast, 0),
        mean_ms=None if not reviews or seconds is None else seconds / reviews * 1000,
        p95_ms=None if not reviews or p95 is None else p95 * 1000,
        feedbacks=count(FEEDBACK % ""),
        feedbacks_agreeing=count(FEEDBACK % '{agrees="true"}'),
    )


def _grown(series: str, window: str) -> str:
    """Return `increase` plus the first value of each new series, if its process was scraped before or is new itself.

    `increase` alone loses the first count of each series: three kinds of failures, once each, would count as 0.
    """
    seconds = window_of(window).total_seconds()
    known = f"last_over_time(up[5m] offset {window}) or process_start_time_seconds > time() - {seconds:g}"
    first = f"min_over_time({series}[{window}]) unless last_over_time({series}[5m] offset {window})"
    born = f"(({first}) and on (job, instance) ({known}))"
    return f"(increase({series}[{window}]) + {born} or increase({series}[{window}]) or {born})"
