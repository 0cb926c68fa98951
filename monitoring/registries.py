"""The metrics that each kind of process serves, and its registry for them.

A metric without labels exists from the start, as 0. A process that served the metrics of another would report that
PostgreSQL is down, or that no model is ready.
"""

from collections.abc import Iterable

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    disable_created_metrics,
)
from prometheus_client.registry import Collector

from monitoring.cgroup import Cgroup
from monitoring.gpu import Gpus
from monitoring.metrics import (
    ATTEMPTS,
    BACKLOG_OLDEST_SECONDS,
    BACKLOG_ROWS,
    BACKLOG_TOKENS,
    BATCH_FILL,
    BATCH_REVIEWS,
    CACHE_HITS,
    CAPACITY,
    FEEDBACK,
    HTTP_OPEN,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    IN_FLIGHT_ROWS,
    JOBS_SUBMITTED,
    MODEL_INFO,
    OVERDUE_REVIEWS,
    OVERDUE_SECONDS,
    POOL,
    QUEUE_SECONDS,
    REQUESTS_UNLOGGED,
    RESULT_SECONDS,
    RESULTS,
    ROWS_SUBMITTED,
    SHED,
    STAGE_REVIEWS,
    STEP_TIME,
    STORE_UP,
    STRANDED_ROWS,
    STRANDED_SECONDS,
    SWEPT,
    UNFINISHED_ROWS,
    WORKER_READY,
    WORKERS_LIVE,
)
from monitoring.resources import ContainerCollector, GpuCollector

UNFINISHED = (OVERDUE_REVIEWS, OVERDUE_SECONDS, UNFINISHED_ROWS, STRANDED_ROWS, STRANDED_SECONDS)
BACKLOG = (BACKLOG_ROWS, BACKLOG_TOKENS, BACKLOG_OLDEST_SECONDS, IN_FLIGHT_ROWS, WORKERS_LIVE, CAPACITY)
REQUESTS = (HTTP_REQUESTS, HTTP_SECONDS, HTTP_OPEN, REQUESTS_UNLOGGED)
SUBMISSIONS = (JOBS_SUBMITTED, ROWS_SUBMITTED, SHED, CACHE_HITS, FEEDBACK)

API = (*REQUESTS, *SUBMISSIONS, STORE_UP, *BACKLOG, *UNFINISHED, RESULTS, POOL)
WORKER = (
    *(RESULTS, RESULT_SECONDS, QUEUE_SECONDS, STEP_TIME, BATCH_REVIEWS, BATCH_FILL, STAGE_REVIEWS, ATTEMPTS),
    *(WORKER_READY, MODEL_INFO, CACHE_HITS, POOL),
)
MAINTENANCE = (SWEPT, RESULTS, POOL)


def registry(metrics: Iterable[Collector]) -> CollectorRegistry:
    """Return a registry of these metrics, of the Python process, its container and its GPUs."""
    # The library would add a series `_created` beside each counter, which nothing reads.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types for it
    made = CollectorRegistry()
    of_process = (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR)
    of_container = (ContainerCollector(Cgroup.of_this_process()), GpuCollector(Gpus.open()))
    for collector in (*metrics, *of_process, *of_container):
        made.register(collector)
    return made
