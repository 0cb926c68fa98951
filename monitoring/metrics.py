"""Every metric, defined once. Served by api.health at /metrics."""

from prometheus_client import Counter, Gauge, Histogram

# The SLA's 200 ms stands between two buckets, so that the share within it is exact.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.4, 0.75, 1.5, 3, 6, 12, 30)

HTTP_REQUESTS = Counter("verdict_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "verdict_http_request_seconds", "Time from a request's head to the end of its answer", ["route"], buckets=SECONDS
)
JOBS_SUBMITTED = Counter("verdict_jobs_submitted_total", "Jobs accepted and committed", ["lane"])
REVIEWS_SUBMITTED = Counter("verdict_reviews_submitted_total", "Reviews accepted and committed", ["lane"])
BACKLOG_REVIEWS = Gauge("verdict_backlog_reviews", "Reviews that wait to be claimed", ["lane"])
BACKLOG_OLDEST_SECONDS = Gauge(
    "verdict_backlog_oldest_seconds", "Age of the oldest job with a waiting review; 0 when none waits", ["lane"]
)
WORKERS_LIVE = Gauge("verdict_workers_live", "Workers that asked for work lately")
