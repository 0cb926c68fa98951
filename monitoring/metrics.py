"""Every metric, defined once; monitoring.registries lists the metrics of each kind of process.

`rows` are the rows of callers' requests and files, `reviews` the distinct texts among them.
"""

from prometheus_client import Counter, Gauge, Histogram

# 200 and 500 ms, the limits of the SLA, are edges of buckets, so that the shares below them are exact.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.4, 0.5, 0.75, 1.5, 3, 6, 12, 30)
STEP_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

# The API: requests.
HTTP_REQUESTS = Counter("verdict_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "verdict_http_request_seconds",
    "Time from the head of a request to the end of the answer",
    ["route"],
    buckets=SECONDS,
)
HTTP_OPEN = Gauge("verdict_http_requests_open", "HTTP requests in progress")
JOBS_SUBMITTED = Counter("verdict_jobs_submitted_total", "Jobs accepted and committed", ["model", "lane"])
ROWS_SUBMITTED = Counter("verdict_rows_submitted_total", "Rows accepted and committed", ["model", "lane"])
SHED = Counter("verdict_shed_total", "Submissions refused because the backlog is too long", ["model", "lane", "reason"])
CACHE_HITS = Counter(
    "verdict_cache_hits_total",
    "Requests (replayed), rows of a job (duplicate) and reviews (prediction) answered by an earlier one",
    ["kind"],
)
FEEDBACK = Counter("verdict_feedback_total", "Feedback on classified reviews", ["model", "agrees"])
REQUESTS_UNLOGGED = Counter("verdict_requests_unlogged_total", "Requests that the request log could not store")

# The API: the state of PostgreSQL at the time of the scrape.
STORE_UP = Gauge("verdict_store_up", "Whether PostgreSQL answers")
BACKLOG_ROWS = Gauge("verdict_backlog_rows", "Rows that wait for a worker", ["model", "lane"])
BACKLOG_TOKENS = Gauge("verdict_backlog_tokens", "Estimated tokens that wait for a worker", ["model", "lane"])
BACKLOG_OLDEST_SECONDS = Gauge(
    "verdict_backlog_oldest_seconds",
    "Age of the oldest job with a waiting review; 0 without one",
    ["model", "lane"],
)
IN_FLIGHT_ROWS = Gauge("verdict_in_flight_rows", "Rows claimed by a worker and not yet stored", ["model", "lane"])
WORKERS_LIVE = Gauge("verdict_workers_live", "Workers with a recent heartbeat", ["model"])
CAPACITY = Gauge(
    "verdict_capacity_tokens_per_second", "Estimated tokens that the live workers classify in a second", ["model"]
)
OVERDUE_REVIEWS = Gauge("verdict_overdue_reviews", "Interactive reviews without a result that are older than 500 ms")
OVERDUE_SECONDS = Gauge("verdict_overdue_review_seconds", "Sum of the ages of the overdue interactive reviews")
UNFINISHED_ROWS = Gauge("verdict_unfinished_rows", "Rows without a result: waiting or claimed")
STRANDED_ROWS = Gauge("verdict_stranded_rows", "Unfinished rows whose model no live worker serves")
STRANDED_SECONDS = Gauge("verdict_stranded_oldest_seconds", "Age of the oldest job with stranded rows; 0 without any")

# Every process that ends a row: the worker, a cancellation (API), a deadline (maintenance).
RESULTS = Counter(
    "verdict_results_total",
    "Rows that ended: succeeded, cancelled, expired, or failed with a reason (exhausted: a dead letter)",
    ["lane", "status", "reason"],
)

# The worker.
RESULT_SECONDS = Histogram(
    "verdict_result_seconds", "Time from submit to the stored result of a review", ["lane", "model"], buckets=SECONDS
)
QUEUE_SECONDS = Histogram(
    "verdict_queue_seconds", "Time from submit to the start of the prediction", ["lane", "model"], buckets=SECONDS
)
STEP_TIME = Histogram(
    "verdict_step_seconds", "Time of a step: claim, tokenise, predict, similar, store", ["step"],
    buckets=STEP_SECONDS,
)  # fmt: skip
BATCH_REVIEWS = Histogram("verdict_batch_reviews", "Reviews of one forward pass", buckets=(1, 2, 4, 8, 16, 32, 64, 128))
BATCH_FILL = Histogram(
    "verdict_batch_fill_ratio", "Share of the tokens of a forward pass that are not padding",
    buckets=(0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1),
)  # fmt: skip
STAGE_REVIEWS = Counter(
    "verdict_stage_reviews_total", "Reviews classified, by the stage that answered", ["model", "stage"]
)
ATTEMPTS = Counter("verdict_failed_attempts_total", "Attempts in which a review alone broke the model")
WORKER_READY = Gauge("verdict_worker_ready", "Whether the model is loaded, warmed up and checked")
MODEL_INFO = Gauge(
    "verdict_model_info", "The served model; always 1", ["model", "version", "precision", "backend", "operating_point"]
)

# Maintenance.
SWEPT = Counter("verdict_swept_total", "Findings of maintenance: lost leases, expired jobs, queues to wake", ["found"])

# Every process: its connection pools.
POOL = Gauge("verdict_pool_connections", "Connections of this process, by pool and state", ["pool", "state"])
