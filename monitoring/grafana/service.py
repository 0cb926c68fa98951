"""The dashboard of the service: requests, admission, backlog, results."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.grafana.panels import Panel, Query, dashboard, lines

ASKED = 'route!~"/livez|/readyz|/metrics"'
NONE = "or vector(0)"  # a counter has no series before its first event


def build() -> Dashboard:
    """Return the dashboard, in the order of the path of a review."""
    return dashboard(
        "verdict-service",
        "Verdict: service",
        "The path of a review, from the request to the result.",
        {"Requests": _requests(), "Admission": _admission(), "Backlog": _waiting(), "Results": _results(),
         "PostgreSQL and maintenance": _upkeep()},
    )  # fmt: skip


def _requests() -> list[Panel]:
    return [
        lines("Requests", "Answered per second, by route.", "reqps", Query(
            f"sum by (route) (rate(verdict_http_requests_total{{{ASKED}}}[$__rate_interval]))", "{{route}}",
        )),
        lines("Answers", "Per second, by status.", "reqps", Query(
            f"sum by (status) (rate(verdict_http_requests_total{{{ASKED}}}[$__rate_interval]))", "{{status}}",
        )),
        lines("Time to the answer, p95", "By route; a request may wait for its result.", "s", Query(
            "histogram_quantile(0.95, sum by (route, le) "
            f"(rate(verdict_http_request_seconds_bucket{{{ASKED}}}[$__rate_interval])))", "{{route}}",
        )),
        lines("Open requests", "In progress, including those that wait for a result.", "none", Query(
            'sum by (instance) (verdict_http_requests_open{job="api"})', "{{instance}}",
        )),
        lines("Answered by an earlier one", "Replayed requests and duplicate rows, per second.", "ops", Query(
            f"sum by (kind) (rate(verdict_cache_hits_total[$__rate_interval])) {NONE}", "{{kind}}",
        )),
        lines("Feedback", "Feedbacks per hour, by whether they agree with the prediction.", "none", Query(
            f"sum by (agrees) (increase(verdict_feedback_total[1h])) {NONE}", "agrees: {{agrees}}",
        )),
    ]  # fmt: skip


def _admission() -> list[Panel]:
    return [
        lines("Rows accepted", "Per second, by model and lane.", "rowsps", Query(
            "sum by (model, lane) (rate(verdict_rows_submitted_total[$__rate_interval]))", "{{model}} {{lane}}",
        )),
        lines(
            "Submissions", "Accepted, and refused because too much waits (429), per second.", "ops",
            Query(
                "sum by (model, lane) (rate(verdict_jobs_submitted_total[$__rate_interval]))",
                "{{model}} {{lane}} accepted",
            ),
            Query(
                f"sum by (model, lane, reason) (rate(verdict_shed_total[$__rate_interval])) {NONE}",
                "{{model}} {{lane}} refused {{reason}}",
            ),
        ),
        lines("Share refused", "Of the submissions, over five minutes.", "percentunit", Query(
            "verdict:shed:ratio5m", "{{model}} {{lane}}",
        ), limit=0.1),
    ]  # fmt: skip


def _waiting() -> list[Panel]:
    return [
        lines("Rows waiting", "To be claimed, by model and lane.", "none", Query(
            "max by (model, lane) (verdict_backlog_rows)", "{{model}} {{lane}}",
        )),
        lines(
            "Wait ahead", "Of a new review: the tokens before it, divided by the capacity of its model's workers.", "s",
            Query(
                "max by (model, lane) (verdict_backlog_tokens) / on (model) group_left () "
                "(max by (model) (verdict_capacity_tokens_per_second) > 0)"
                " or max by (model, lane) (verdict_backlog_tokens) * 0",  # before a capacity is known
                "{{model}} {{lane}}",
            ),
        ),
        lines("Oldest waiting", "Age of the oldest job with a waiting review.", "s", Query(
            "max by (model, lane) (verdict_backlog_oldest_seconds)", "{{model}} {{lane}}",
        )),
        lines("Rows in progress", "Claimed and not yet stored, by model and lane.", "none", Query(
            "max by (model, lane) (verdict_in_flight_rows)", "{{model}} {{lane}}",
        )),
        lines("Time in the queue, p95", "From submit to the beginning of the prediction.", "s", Query(
            "histogram_quantile(0.95, sum by (model, lane, le) (rate(verdict_queue_seconds_bucket[$__rate_interval])))",
            "{{model}} {{lane}}",
        )),
        lines("Tokens waiting", "Estimated, by model and lane.", "none", Query(
            "max by (model, lane) (verdict_backlog_tokens)", "{{model}} {{lane}}",
        )),
    ]  # fmt: skip


def _results() -> list[Panel]:
    return [
        lines("Rows ended", "Per second, by status; failed ones with their reason.", "rowsps", Query(
            "sum by (status, reason) (rate(verdict_results_total[$__rate_interval]))", "{{status}} {{reason}}",
        )),
        lines(
            "Time to the result", "From submit to the stored result, by model and lane.", "s",
            Query("verdict:result_seconds:p50_5m", "{{model}} {{lane}} p50"),
            Query("verdict:result_seconds:p95_5m", "{{model}} {{lane}} p95"),
            Query("verdict:result_seconds:p99_5m", "{{model}} {{lane}} p99"),
        ),
        lines("Reviews classified", "Per second, by model.", "ops", Query(
            "sum by (model) (rate(verdict_stage_reviews_total[$__rate_interval]))", "{{model}}",
        )),
    ]  # fmt: skip


def _upkeep() -> list[Panel]:
    return [
        lines("PostgreSQL", "1 while it answers.", "none", Query(
            'min by (instance) (verdict_store_up{job="api"})', "{{instance}}",
        )),
        lines("Connections", "Of all processes, by pool and state.", "none", Query(
            "sum by (job, pool, state) (verdict_pool_connections)", "{{job}} {{pool}} {{state}}",
        )),
        lines(
            "Found by maintenance", "Lost leases, expired jobs, lanes to wake; requests not logged; per second.", "ops",
            Query(f"sum by (found) (rate(verdict_swept_total[$__rate_interval])) {NONE}", "{{found}}"),
            Query("sum(rate(verdict_requests_unlogged_total[$__rate_interval]))", "requests not logged"),
        ),
    ]  # fmt: skip
