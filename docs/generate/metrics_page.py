"""`reference/metrics.md`: every metric of monitoring.metrics with its type, labels and help text."""

from prometheus_client.metrics import MetricWrapperBase

from docs.generate.markdown import code, page, table
from monitoring import metrics

INTRODUCTION = """\
The API serves its metrics at `/metrics`, worker and maintenance at `METRICS_HOST`:`METRICS_PORT`. `rows` are the
records that callers sent, `reviews` the distinct texts among them. A histogram has the series `…_bucket`, `…_sum`
and `…_count`. The recording rules, and the alerts that use them, are in `monitoring/prometheus/rules/`;
[Alerts](../alerts.md) says what to do about each alert."""


def metrics_page() -> str:
    """Return the page."""
    found = (each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase))
    rows = [
        (
            code(next(iter(metric.collect())).name + ("_total" if metric._type == "counter" else "")),  # noqa: SLF001
            str(metric._type),  # noqa: SLF001  the library has no public name for it
            ", ".join(code(label) for label in metric._labelnames),  # noqa: SLF001
            metric._documentation,  # noqa: SLF001
        )
        for metric in found
    ]
    return page("Metrics", INTRODUCTION, table(["metric", "type", "labels", "meaning"], rows))
