"""OpenTelemetry traces, if the extra `otel` is installed and OTEL_EXPORTER_OTLP_ENDPOINT names a collector.

A request is a span (api.http.middleware); its context is stored with its job. A worker's batch is a trace of its own,
since it serves many requests; its spans (worker.drain) link to each of them. Without a collector nothing is imported
and a span costs nothing.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

_NAMES = ("traceparent", "tracestate")

log = structlog.get_logger()
_tracers: list["Tracer"] = []  # at most one


def configure_traces(process: str) -> None:
    """Send the spans of this process to the collector, if there is one; the usual OTEL_* variables apply."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  optional
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning("traces_unavailable", needed="the extra `otel`")
        return
    begin(process, BatchSpanProcessor(OTLPSpanExporter()))


def begin(process: str, processor: "SpanProcessor") -> None:
    """Pass each ended span to `processor`, which sends the rest at the end of the process."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": f"verdict-{process}"}))
    provider.add_span_processor(processor)
    _tracers[:] = [provider.get_tracer("verdict")]


@contextmanager
def request(headers: Mapping[bytes, bytes]) -> Iterator[Any]:
    """Open a span for a request, as a child of the caller's (W3C trace context); yield None without traces."""
    if not _tracers:
        yield None
        return
    from opentelemetry.propagate import extract  # noqa: PLC0415
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    sent = {name: headers[name.encode()].decode("latin-1") for name in _NAMES if name.encode() in headers}
    with _tracers[0].start_as_current_span("request", context=extract(sent), kind=SpanKind.SERVER) as span:
        yield span


def end_request(span: Any, method: str, route: str, status: int) -> None:
    """Set name, route and status of the span of a request."""
    if span is None:
        return
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def current() -> str | None:
    """Return the current span as a `traceparent`, to store with a job; None without traces."""
    if not _tracers:
        return None
    from opentelemetry.propagate import inject  # noqa: PLC0415

    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


def batch(name: str, traceparents: Iterable[str | None], **attributes: str | int) -> AbstractContextManager[object]:
    """Open a span for a step of a worker on some reviews, linked to their requests."""
    if not _tracers:
        return nullcontext()
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.propagate import extract  # noqa: PLC0415
    from opentelemetry.trace import Link, get_current_span  # noqa: PLC0415

    known = dict.fromkeys(each for each in traceparents if each)
    links = [Link(get_current_span(extract({"traceparent": each}, Context())).get_span_context()) for each in known]
    return _tracers[0].start_as_current_span(name, context=Context(), links=links, attributes=attributes)
