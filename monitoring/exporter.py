"""Serve the metrics of a worker or of maintenance at METRICS_PORT, for Prometheus."""

import threading
from collections.abc import Callable
from socketserver import BaseServer

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from settings import MetricsSettings

RETRY_SECONDS = 5.0

log = structlog.get_logger()


def serve(settings: MetricsSettings, registry: CollectorRegistry) -> Callable[[], None]:
    """Serve a registry (monitoring.registries) from a thread; return the function that stops it.

    If the port is taken, that is logged once and tried again: a worker without metrics is better than no worker.
    """
    stopping = threading.Event()
    thread = threading.Thread(target=_run, args=(settings, registry, stopping), name="metrics", daemon=True)
    if settings.metrics_port:
        thread.start()

    def stop() -> None:
        stopping.set()
        if settings.metrics_port:
            thread.join()

    return stop


def _run(settings: MetricsSettings, registry: CollectorRegistry, stopping: threading.Event) -> None:
    silent = False
    while not (server := _listen(settings, registry, silent=silent)):
        silent = True
        if stopping.wait(RETRY_SECONDS):
            return
    stopping.wait()
    server.shutdown()
    server.server_close()


def _listen(settings: MetricsSettings, registry: CollectorRegistry, *, silent: bool) -> BaseServer | None:
    """Return a running server, or None if the address is not available."""
    where = {"host": settings.metrics_host, "port": settings.metrics_port}
    try:
        server, _ = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        if not silent:
            log.error("metrics_not_served", **where, error=str(error), retry_seconds=RETRY_SECONDS)  # noqa: TRY400
        return None
    log.info("metrics_served", **where)
    return server
