"""Serves this process's metrics at METRICS_PORT, for Prometheus. Called by worker.child and maintenance.main."""

import threading
from collections.abc import Callable, Collection
from socketserver import BaseServer

import structlog
from prometheus_client import start_http_server
from prometheus_client.metrics import MetricWrapperBase

from monitoring import parts, resources
from settings import MetricsSettings

RETRY_SECONDS = 5.0

log = structlog.get_logger()


def serve(settings: MetricsSettings, own: Collection[MetricWrapperBase] = ()) -> Callable[[], None]:
    """Serve metrics from a thread of its own; returns at once what stops it.

    `own` are the metrics without labels that this process measures: those of others are not shown (monitoring.parts).
    A port that cannot be had is said once and tried again, since work matters more than its measurement.
    """
    resources.register()
    stopping = threading.Event()
    thread = threading.Thread(target=_run, args=(settings, parts.View(own), stopping), name="metrics", daemon=True)
    if settings.metrics_port:
        thread.start()

    def stop() -> None:
        stopping.set()
        if settings.metrics_port:
            thread.join()

    return stop


def _run(settings: MetricsSettings, view: parts.View, stopping: threading.Event) -> None:
    silent = False
    while not (server := _listen(settings, view, silent=silent)):
        silent = True
        if stopping.wait(RETRY_SECONDS):
            return
    stopping.wait()
    server.shutdown()
    server.server_close()


def _listen(settings: MetricsSettings, view: parts.View, *, silent: bool) -> BaseServer | None:
    """A server that answers already, or None where the address cannot be had."""
    where = {"host": settings.metrics_host, "port": settings.metrics_port}
    try:
        server, _ = start_http_server(settings.metrics_port, settings.metrics_host, view)
    except OSError as error:
        if not silent:
            log.error("metrics_not_served", **where, error=str(error), retry_seconds=RETRY_SECONDS)  # noqa: TRY400
        return None
    log.info("metrics_served", **where)
    return server
