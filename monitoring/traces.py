"""OpenTelemetry traces, where the extra `otel` is installed and OTEL_EXPORTER_OTLP_ENDPOINT names a collector.

A request is a span (api.http.middleware) whose context is stored with the job it makes. A worker's batch is a trace of
its own, since it serves many requests; its spans (worker.drain) link to each of them. Without a collector nothing is
imported and a span costs nothing.
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
    """Send this process's spans to the collector, if there is one; OTEL_* variables say the rest, as everywhere."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  optional
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning("traces_unavailable", needed="pip install 'verdict[otel]'")
        return
    begin(process, BatchSpanProcessor(OTLPSpanExporter()))


def begin(process: str, processor: "SpanProcessor") -> None:
    """Hand each ended span of this process to `processor`; what waits in it is sent when the process ends."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": f"verdict-{process}"}))
    provider.add_span_processor(processor)
    _tracers[:] = [provider.get_tracer("verdict")]


@contextmanager
def request(headers: Mapping[bytes, bytes]) -> Iterator[Any]:
    """A span around a request, below its caller's if the headers name one (W3C trace context); None without traces."""
    if not _tracers:
        yield None
        return
    from opentelemetry.propagate import extract  # noqa: PLC0415
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    sent = {name: headers[name.encode()].decode("latin-1") for name in _NAMES if name.encode() in headers}
    with _tracers[0].start_as_current_span("request", context=extract(sent), kind=SpanKind.SERVER) as span:
        yield span


def end_request(span: Any, method: str, route: str, status: int) -> None:
    """Name the span of a request by what it turned out to be."""
    if span is None:
        return
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def current() -> str | None:
    """The present span as a `traceparent`, to be stored with a job; None without traces."""
    if not _tracers:
        return None
    from opentelemetry.propagate import inject  # noqa: PLC0415

    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


def batch(name: str, traceparents: Iterable[str | None], **attributes: str | int) -> AbstractContextManager[object]:
    """A span of a worker's step on some reviews, linked to the requests that they came with."""
    if not _tracers:
        return nullcontext()
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.propagate import extract  # noqa: PLC0415
    from opentelemetry.trace import Link, get_current_span  # noqa: PLC0415

    told = dict.fromkeys(each for each in traceparents if each)
    links = [Link(get_current_span(extract({"traceparent": each}, Context())).get_span_context()) for each in told]
    return _tracers[0].start_as_current_span(name, context=Context(), links=links, attributes=attributes)
