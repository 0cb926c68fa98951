"""What one process shows of the metrics, which all processes define: no value of those that others measure.

A metric without labels exists from the start, as 0: a worker would say that the store is down, the API that no model
is ready. Called by monitoring.exporter and api.routes.health.
"""

from collections.abc import Collection, Iterator

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from monitoring import metrics
from monitoring.metrics import (
    ATTEMPTS,
    BATCH_FILL,
    BATCH_REVIEWS,
    HTTP_OPEN,
    OVERDUE_REVIEWS,
    OVERDUE_SECONDS,
    REQUESTS_UNLOGGED,
    STORE_UP,
    STRANDED_ROWS,
    STRANDED_SECONDS,
    UNFINISHED_ROWS,
    WORKER_READY,
)

UNFINISHED = (OVERDUE_REVIEWS, OVERDUE_SECONDS, UNFINISHED_ROWS, STRANDED_ROWS, STRANDED_SECONDS)
API = (HTTP_OPEN, REQUESTS_UNLOGGED, STORE_UP, *UNFINISHED)
WORKER = (WORKER_READY, ATTEMPTS, BATCH_REVIEWS, BATCH_FILL)


def _bare() -> Iterator[str]:
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase) and not metric._labelnames:  # noqa: SLF001  said nowhere else
            yield from _names(metric)


def _names(metric: MetricWrapperBase) -> Iterator[str]:
    return (family.name for family in metric.describe())


class View(CollectorRegistry):
    """Everything that was measured here: what has labels, what libraries bring, and of our other metrics `own`."""

    def __init__(self, own: Collection[MetricWrapperBase]) -> None:
        super().__init__()
        self._hidden = set(_bare()) - {name for metric in own for name in _names(metric)}

    def collect(self) -> Iterator[Metric]:
        """As the library's registry has them now."""
        return (family for family in REGISTRY.collect() if family.name not in self._hidden)
