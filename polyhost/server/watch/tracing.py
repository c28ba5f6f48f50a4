"""OpenTelemetry: a span for each request of a model. Off, and never imported, unless asked for.

``OTEL_EXPORTER_OTLP_ENDPOINT`` (or its ``_TRACES_`` form), or ``OTEL_SDK_DISABLED=false``, asks for
it; the other ``OTEL_`` variables are the SDK's own.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Mapping, Optional

from polyhost import __version__
from polyhost.host.observers import RequestRecord
from polyhost.server.call.head import RequestHead
from polyhost.settings import ModelConfig

logger = logging.getLogger(__name__)

CLOSE_WITHIN = 2.0
"""Seconds that a collector has to take the last spans."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_CARRIED = (b"traceparent", b"tracestate")


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """The operator wants traces."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower()
    if disabled == "true":
        return False
    return disabled == "false" or any(environment.get(name) for name in _ENDPOINTS)


def open_tracing(environment: Mapping[str, str]) -> Optional[Tracing]:
    """Traces to the collector that the environment names; None when none are asked for.

    A variable that is set for a whole cluster must not end the server where the packages are missing:
    then a warning says what to install.
    """
    if not is_asked_for(environment):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        logger.warning(
            "OpenTelemetry is configured, but no traces can be sent: %s. "
            "Install with: pip install 'polyhost[otel]'",
            error,
        )
        return None
    service = environment.get("OTEL_SERVICE_NAME") or "polyhost"
    resource = Resource.create({"service.name": service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


class Tracing:
    """Makes spans with a provider of the SDK."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("polyhost", __version__)
        self._kind = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, name: str, model: ModelConfig, head: RequestHead) -> Any:
        """A span for a request; its parent is the one that the client named."""
        attributes = {
            "polyhost.model": model.name,
            "polyhost.model.version": model.version,
            "polyhost.language": model.spec.language,
            "http.request.method": head.method,
            "url.path": head.path,
        }
        parent = self._parent(head)
        return self._tracer.start_span(name, parent, self._kind, attributes)

    def _parent(self, head: RequestHead) -> Any:
        carrier = {
            name.decode("ascii"): value.decode("latin-1")
            for name, value in head.headers
            if name in _CARRIED
        }
        return self._propagator.extract(carrier)

    def finish(self, span: Any, exchange: RequestRecord) -> None:
        """End the span of a request: its id, status and times become attributes."""
        if span.is_recording():
            span.set_attribute("polyhost.request_id", exchange.id)
            span.set_attribute("polyhost.queue_seconds", exchange.waited)
            span.set_attribute("polyhost.predict_seconds", exchange.ran)
            if exchange.status:
                span.set_attribute("http.response.status_code", exchange.status)
            if exchange.status >= 500:
                span.set_status(self._failed)
        span.end()

    def close(self) -> None:
        """Send what waits; a collector that does not answer keeps no server from ending."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN)
        if closing.is_alive():
            logger.warning("the collector does not answer: the last spans are lost")
