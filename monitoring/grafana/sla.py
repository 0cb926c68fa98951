"""The dashboard of the SLA: whether it is held, what is left of the error budgets, and the figures behind that."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring import sla
from monitoring.grafana.panels import Panel, Query, dashboard, figure, floor, lines, shares, verdict

SLOW = 0.05  # a p95 leaves one review in twenty


def build() -> Dashboard:
    """The rows from the verdict down to its reasons."""
    return dashboard(
        "verdict-sla",
        "Verdict: SLA",
        "Is the promise kept? From the verdict above down to its reasons.",
        {"Is the SLA held?": _verdicts(), "The last hour": _figures(), "How it came to this": _courses()},
    )


def _verdicts() -> list[Panel]:
    return [
        verdict(
            "SLA, last hour",
            "Held when every target is that can be judged; what has no result yet counts with its age.",
            Query("min(verdict:target:met1h)", "all targets"),
            span=4,
        ),
        verdict(
            "Each target, last hour", "Accuracy: the last day.", Query("verdict:target:met1h", "{{target}}"), span=10,
        ),
        shares(
            "Error budget left, 30 days",
            "Full: untouched; empty: spent. The mean has none to spend: how far it is below its limit.",
            Query("verdict:target:budget_left30d", "{{target}}"),
            span=10,
        ),
    ]  # fmt: skip


def _figures() -> list[Panel]:
    return [
        figure(
            "Failed requests", "Answers of 5xx; a refusal (429) is no failure.",
            Query("verdict:request_failures:ratio1h", "failed"), "percentunit", limit=sla.FAILURES,
        ),
        figure(
            "Failed results", "Accepted rows that we failed or kept beyond their deadline.",
            Query("verdict:result_failures:ratio1h", "failed"), "percentunit", limit=sla.FAILURES,
        ),
        figure(
            "Mean time to the result", "Of interactive reviews, from submit to the stored result.",
            Query("verdict:result_seconds:mean1h", "mean"), "s", limit=sla.MEAN_MS / 1000,
        ),
        figure(
            "Slower than 500 ms", "Of interactive reviews, overdue ones too; the p95 holds up to 5 %.",
            Query("verdict:slow_results:ratio1h", "slow"), "percentunit", limit=SLOW,
        ),
        floor(
            "Accuracy by feedback", "Of a day's feedback; judged from 20 words on.",
            Query("verdict:accuracy:ratio1d", "{{model}}"), "percentunit", least=sla.ACCURACY,
        ),
        figure(
            "Memory", "The process that is nearest to its limit, now.",
            Query("max(verdict:memory:share)", "share of limit"), "percentunit", limit=0.9,
        ),
        figure(
            "CPU", "The process that is nearest to its limit, over five minutes; a busy worker takes all it may have.",
            Query("max(verdict:cpu:share5m)", "share of limit"), "percentunit",
        ),
        figure(
            "Rows without a worker", "That wait while no live worker serves their model; they are kept.",
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
            "Alerts", "That fire now; docs/alerts.md says what to do about each.",
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
            "Burn rate, 1 hour", "1 spends the budget in 30 days; 14.4 wakes somebody.", "none",
            Query(f"verdict:request_failures:ratio1h / {sla.FAILURES}", "failed requests"),
            Query(f"verdict:result_failures:ratio1h / {sla.FAILURES}", "failed results"),
            Query(f"verdict:slow_results:ratio1h / {SLOW}", "slow results"), limit=14.4,
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
