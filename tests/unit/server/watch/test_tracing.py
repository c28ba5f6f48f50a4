"""Spans, seen by an exporter in memory."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from support.fake_model import FakeModel, carry

from polyhost.server.watch import tracing
from polyhost.server.watch.instrument import Instruments

MODEL = FakeModel().config
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_SDK_DISABLED": "false"}, True),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
    ],
)
def test_traces_are_off_unless_asked_for(environment: dict[str, str], asked: bool) -> None:
    assert tracing.is_asked_for(environment) is asked


def test_nothing_is_opened_when_they_are_off() -> None:
    assert tracing.open_tracing({}) is None


def test_missing_packages_are_a_warning_with_the_install_command(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, exporter, None)
    assert tracing.open_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) is None
    assert "pip install 'polyhost[otel]'" in caplog.text


def require_sdk() -> None:
    """Skip without the SDK, which set-up installs; with CI set that is a failure."""
    if not os.environ.get("CI"):
        pytest.importorskip("opentelemetry.sdk")


def traced(status: int, *headers: tuple[bytes, bytes]) -> Any:
    """The span of one request that the model answered with this status."""
    require_sdk()
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    watch = Instruments(tracing=tracing.Tracing(provider))
    words = {200: "answer", 422: "invalid input", 500: "model error"}
    carry(watch, words[status], headers=list(headers), times=(0.25, 0.5))
    (span,) = exporter.get_finished_spans()
    provider.shutdown()
    return span


def test_a_span_tells_the_model_and_where_the_time_went() -> None:
    span = traced(200)
    assert span.name == "drum.invocations"
    assert span.parent is None
    assert span.status.is_ok
    assert dict(span.attributes) == {
        "polyhost.model": "m",
        "polyhost.model.version": MODEL.version,
        "polyhost.language": "python",
        "polyhost.request_id": "id-1",
        "polyhost.queue_seconds": 0.25,
        "polyhost.predict_seconds": 0.5,
        "http.request.method": "POST",
        "url.path": "/predict/",
        "http.response.status_code": 200,
    }


def test_a_clients_trace_goes_on() -> None:
    span = traced(200, (b"traceparent", f"00-{TRACE}-{PARENT}-01".encode()))
    assert format(span.context.trace_id, "032x") == TRACE
    assert format(span.parent.span_id, "016x") == PARENT


def test_a_failure_of_ours_marks_the_span() -> None:
    assert not traced(500).status.is_ok
    assert traced(422).status.is_ok
