"""The dashboard of the SLA: targets, error budgets, and the figures behind them."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring import sla
from monitoring.grafana.panels import Panel, Query, dashboard, figure, floor, lines, shares, verdict


def build() -> Dashboard:
    """Return the dashboard: from the targets down to the reasons."""
    return dashboard(
        "verdict-sla",
        "Verdict: SLA",
        "Whether the targets are met: the result at the top, the reasons below.",
        {"Targets": _verdicts(), "The last hour": _figures(), "Over time": _courses()},
    )


def _verdicts() -> list[Panel]:
    return [
        verdict(
            "SLA, last hour",
            "Met if every target with data is met; an interactive review without a result counts with its age.",
            Query("min(verdict:target:met1h)", "all targets"),
            span=4,
        ),
        verdict(
            "Each target, last hour", "Accuracy: the last day.", Query("verdict:target:met1h", "{{target}}"), span=10,
        ),
        shares(
            "Error budget left, 30 days",
            "Full: unused; empty: spent. For the mean: its distance below the limit.",
            Query("verdict:target:budget_left30d", "{{target}}"),
            span=10,
        ),
    ]  # fmt: skip


def _figures() -> list[Panel]:
    return [
        figure(
            "Failed requests", "Answers with 5xx; a refusal (429) is not a failure.",
            Query("verdict:request_failures:ratio1h", "failed"), "percentunit", limit=sla.FAILURES,
        ),
        figure(
            "Failed results", "Accepted rows that failed after all attempts or passed their deadline.",
            Query("verdict:result_failures:ratio1h", "failed"), "percentunit", limit=sla.FAILURES,
        ),
        figure(
            "Mean time to the result", "Of interactive reviews, from submit to the stored result.",
            Query("verdict:result_seconds:mean1h", "mean"), "s", limit=sla.MEAN_MS / 1000,
        ),
        figure(
            "Slower than 500 ms", "Of interactive reviews, including overdue ones; the p95 target allows 5 %.",
            Query("verdict:slow_results:ratio1h", "slow"), "percentunit", limit=sla.SLOW,
        ),
        floor(
            "Accuracy by feedback", "Of a day's feedback; at least 20 feedbacks.",
            Query("verdict:accuracy:ratio1d", "{{model}}"), "percentunit", least=sla.ACCURACY,
        ),
        figure(
            "Memory", "The process nearest to its limit, now.",
            Query("max(verdict:memory:share)", "share of limit"), "percentunit", limit=0.9,
        ),
        figure(
            "CPU", "The process nearest to its limit, over five minutes; a busy worker uses all of its CPU.",
            Query("max(verdict:cpu:share5m)", "share of limit"), "percentunit",
        ),
        figure(
            "Rows without a worker", "Rows that wait while no live worker serves their model; none is lost.",
            Query('max(verdict_stranded_rows{job="api"} >= 0)', "rows"), "none", limit=1,
        ),
        figure(
            "Longest without a worker", "Age of the oldest job with such rows.",
            Query('max(verdict_stranded_oldest_seconds{job="api"} >= 0)', "age"), "s", limit=1,
        ),
        figure(
            "Overdue reviews", "Interactive, without a result and older than 500 ms, now.",
            Query("verdict:overdue:reviews", "reviews"), "none", limit=1,
        ),
        figure(
            "Alerts", "Firing now; docs/alerts.md explains each.",
            Query('count(ALERTS{alertstate="firing",alertname=~"Verdict.*"}) or vector(0)', "firing"), "none", limit=1,
        ),
    ]  # fmt: skip


def _courses() -> list[Panel]:
    return [
        lines(
            "Failures", "Share of requests and of results, over five minutes.", "percentunit",
            Query("verdict:request_failures:ratio5m", "requests"),
            Query("verdict:result_failures:ratio5m", "results"), limit=sla.FAILURES,
        ),
        lines(
            "Mean time to the result", "Of interactive reviews.", "s",
            Query("verdict:result_seconds:mean5m", "5 minutes"),
            Query("verdict:result_seconds:mean1h", "1 hour"), limit=sla.MEAN_MS / 1000,
        ),
        lines(
            "95 % of results within", "Of interactive reviews, over five minutes.", "s",
            Query('verdict:result_seconds:p95_5m{lane="interactive"}', "{{model}} p95"),
            Query('verdict:result_seconds:p50_5m{lane="interactive"}', "{{model}} p50"), limit=sla.P95_MS / 1000,
        ),
        lines(
            "Burn rate, 1 hour", "1 spends the budget in 30 days; 14.4 sends a page.", "none",
            Query(f"verdict:request_failures:ratio1h / {sla.FAILURES}", "failed requests"),
            Query(f"verdict:result_failures:ratio1h / {sla.FAILURES}", "failed results"),
            Query(f"verdict:slow_results:ratio1h / {sla.SLOW}", "slow results"), limit=14.4,
        ),
        lines(
            "Accuracy by feedback", "Share of a day's feedback that agrees.", "percentunit",
            Query("verdict:accuracy:ratio1d", "{{model}}"),
        ),
        lines(
            "Requests and results", "What the shares are shares of, per second.", "reqps",
            Query("verdict:requests:rate5m", "requests"), Query("verdict:results:rate5m", "rows ended"),
            Query("verdict:interactive:rate5m", "interactive reviews"),
        ),
    ]  # fmt: skip
