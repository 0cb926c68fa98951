"""A trace follows a review from its request through the queue to the batch that classified it."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from db.engine import Engine
from monitoring import traces
from tests.conftest import wait_until
from tests.db.steps import run

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BODY = {"reviews": [{"text": "a fine film"}]}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Yield the ended spans of this process."""
    monkeypatch.setattr(traces, "_tracers", [])
    exporter = InMemorySpanExporter()
    traces.begin("test", SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [each for each in spans.get_finished_spans() if each.name == name]


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def test_a_request_belongs_to_its_callers_trace_and_a_batch_links_to_it(
    spans: InMemorySpanExporter, client: httpx.Client, drain: Callable[[], None]
) -> None:
    assert client.post("/v1/jobs", json=BODY, headers={"traceparent": CALLER}).status_code == 202
    [request] = wait_until(lambda: named(spans, "POST /v1/jobs"))
    assert trace_of(request) == CALLER.split("-")[1]
    assert (request.attributes or {})["http.response.status_code"] == 202
    drain()
    for step in ("predict", "store"):
        [batch] = named(spans, step)
        [link] = batch.links
        assert request.context is not None
        assert (link.context.trace_id, link.context.span_id) == (request.context.trace_id, request.context.span_id)
        assert trace_of(batch) != trace_of(request)
        assert (batch.attributes or {})["reviews"] == 1


def test_one_batch_links_to_every_request_it_serves_once(
    spans: InMemorySpanExporter, client: httpx.Client, drain: Callable[[], None]
) -> None:
    for _ in range(2):
        client.post("/v1/jobs", json={"reviews": [{"text": "a fine film"}, {"text": "a dull film"}]})
    client.post("/v1/jobs", content="review\na third film\n", headers={"Content-Type": "text/csv"})
    drain()
    requests = wait_until(lambda: len(named(spans, "POST /v1/jobs")) == 3 and named(spans, "POST /v1/jobs"))
    assert requests
    linked = {link.context.span_id for batch in named(spans, "predict") for link in batch.links}
    assert linked == {each.context.span_id for each in requests if each.context}


def test_a_5xx_is_an_error_in_the_trace(spans: InMemorySpanExporter, client: httpx.Client, engine: Engine) -> None:
    run(engine, "DELETE FROM workers")
    assert client.get("/readyz").status_code == 503
    [span] = wait_until(lambda: named(spans, "GET /readyz"))
    assert not span.status.is_ok


@pytest.mark.parametrize("sent", ["", "nonsense", "00-00000000000000000000000000000000-0000000000000000-00"])
def test_a_wrong_trace_context_begins_a_new_trace(spans: InMemorySpanExporter, client: httpx.Client, sent: str) -> None:
    assert client.get("/livez", headers={"traceparent": sent}).status_code == 200
    [span] = wait_until(lambda: named(spans, "GET /livez"))
    assert span.parent is None


def test_without_a_collector_nothing_is_traced(monkeypatch: pytest.MonkeyPatch, client: httpx.Client) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    traces.configure_traces("test")
    assert traces._tracers == []
    assert client.post("/v1/jobs", json=BODY, headers={"traceparent": CALLER}).status_code == 202
    assert traces.current() is None


def test_the_standard_variable_names_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_tracers", [])
    begun: list[str] = []
    monkeypatch.setattr(traces, "begin", lambda process, _processor: begun.append(process))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    traces.configure_traces("api")
    assert begun == ["api"]
