"""Every metric, defined once; each process serves those that it measures.

The API serves its own at /metrics, with what the store says at that moment; worker and maintenance serve theirs at
METRICS_PORT (monitoring.exporter). `rows` are what callers sent, `reviews` the distinct texts among them.
"""

from prometheus_client import Counter, Gauge, Histogram

# The SLA's 200 and 500 ms stand between two buckets, so that the share within them is exact.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.4, 0.5, 0.75, 1.5, 3, 6, 12, 30)
STEP_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

# The API, about requests.
HTTP_REQUESTS = Counter("verdict_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "verdict_http_request_seconds", "Time from a request's head to the end of its answer", ["route"], buckets=SECONDS
)
HTTP_OPEN = Gauge("verdict_http_requests_open", "HTTP requests that are being served")
JOBS_SUBMITTED = Counter("verdict_jobs_submitted_total", "Jobs accepted and committed", ["model", "lane"])
ROWS_SUBMITTED = Counter("verdict_rows_submitted_total", "Rows accepted and committed", ["model", "lane"])
SHED = Counter("verdict_shed_total", "Submissions refused because too much waits", ["model", "lane", "reason"])
CACHE_HITS = Counter(
    "verdict_cache_hits_total",
    "Requests (replayed), rows of a job (duplicate) and reviews (prediction) answered by an earlier one",
    ["kind"],
)
FEEDBACK = Counter("verdict_feedback_total", "Judged reviews of which a caller told the truth", ["model", "agrees"])
REQUESTS_UNLOGGED = Counter("verdict_requests_unlogged_total", "Requests that the request log could not keep")

# The API, about the store as it is when asked.
STORE_UP = Gauge("verdict_store_up", "Whether the store answers")
BACKLOG_ROWS = Gauge("verdict_backlog_rows", "Rows that wait to be claimed", ["model", "lane"])
BACKLOG_TOKENS = Gauge("verdict_backlog_tokens", "Estimated tokens that wait to be claimed", ["model", "lane"])
BACKLOG_OLDEST_SECONDS = Gauge(
    "verdict_backlog_oldest_seconds",
    "Age of the oldest job with a waiting review; 0 when none waits",
    ["model", "lane"],
)
IN_FLIGHT_ROWS = Gauge("verdict_in_flight_rows", "Rows that are being judged", ["model", "lane"])
WORKERS_LIVE = Gauge("verdict_workers_live", "Workers that asked for work lately", ["model"])
CAPACITY = Gauge(
    "verdict_capacity_tokens_per_second", "Estimated tokens that the live workers judge in a second", ["model"]
)
OVERDUE_REVIEWS = Gauge("verdict_overdue_reviews", "Interactive reviews without a result that are older than 500 ms")
OVERDUE_SECONDS = Gauge("verdict_overdue_review_seconds", "Ages of the overdue interactive reviews, added up")
UNFINISHED_ROWS = Gauge("verdict_unfinished_rows", "Rows that wait or are being judged")
STRANDED_ROWS = Gauge("verdict_stranded_rows", "Unfinished rows whose model no live worker serves")
STRANDED_SECONDS = Gauge("verdict_stranded_oldest_seconds", "Age of the oldest job with stranded rows; 0 without any")

# Whoever ends a row: the worker, a cancel, a deadline.
RESULTS = Counter(
    "verdict_results_total",
    "Rows that came to an end: succeeded, cancelled, expired, or failed for a reason (exhausted: a dead letter)",
    ["lane", "status", "reason"],
)

# The worker.
RESULT_SECONDS = Histogram(
    "verdict_result_seconds", "Time from submit to a stored result, of each review", ["lane", "model"], buckets=SECONDS
)
QUEUE_SECONDS = Histogram(
    "verdict_queue_seconds", "Time from submit to the beginning of the prediction", ["lane", "model"], buckets=SECONDS
)
STEP_TIME = Histogram(
    "verdict_step_seconds", "Time that a step took: claim, tokenise, predict, similar, store", ["step"],
    buckets=STEP_SECONDS,
)  # fmt: skip
BATCH_REVIEWS = Histogram("verdict_batch_reviews", "Reviews of one forward pass", buckets=(1, 2, 4, 8, 16, 32, 64, 128))
BATCH_FILL = Histogram(
    "verdict_batch_fill_ratio", "Share of a forward pass's tokens that are no padding",
    buckets=(0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1),
)  # fmt: skip
STAGE_REVIEWS = Counter("verdict_stage_reviews_total", "Reviews judged, by the stage that answered", ["model", "stage"])
ATTEMPTS = Counter("verdict_failed_attempts_total", "Times that a review broke the model alone")
WORKER_READY = Gauge("verdict_worker_ready", "Whether the model is loaded, warmed up and checked")
MODEL_INFO = Gauge(
    "verdict_model_info", "The model served; always 1", ["model", "version", "precision", "backend", "operating_point"]
)

# Maintenance.
SWEPT = Counter("verdict_swept_total", "What the sweeper found: lost leases, expired jobs, queues to ring", ["found"])

# Every process, about its pools.
POOL = Gauge("verdict_pool_connections", "Connections of this process, by pool and state", ["pool", "state"])
