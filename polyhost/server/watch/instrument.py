"""Everything that watches a server: metrics always; access log, traces, output marks on request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Callable, Optional

from polyhost.host.host import Host
from polyhost.host.observers import ModelObserver, current
from polyhost.server.http.asgi import Receive, Scope, Send, header, respond
from polyhost.server.http.endpoint import Endpoint
from polyhost.server.watch import gauges
from polyhost.server.watch.metrics import Metrics
from polyhost.server.watch.tracing import Tracing
from polyhost.settings import ModelConfig

if TYPE_CHECKING:
    from polyhost.server.call.call import Call

access_log = logging.getLogger("polyhost.access")

GONE = 499
"""The code that is counted when a client left before its answer."""


class Instruments:
    """Counts, and traces and logs where asked, the routes of models that have a protocol."""

    def __init__(
        self, *, marks_output: bool = False, access: bool = False, tracing: Optional[Tracing] = None
    ) -> None:
        self.metrics = Metrics(marks_output=marks_output)
        self.busy_elsewhere: Callable[[str], int] = lambda model: 0
        """Requests of a model that other processes of this server hold."""
        self.access = access
        self.tracing = tracing

    def of(self, model: ModelConfig) -> ModelObserver:
        """What the model's pool reports to."""
        return self.metrics.of(model)

    def route(self, protocol: str, span: str, path: str, model: ModelConfig) -> RouteWatch:
        """What counts the requests of one route of a model."""
        return RouteWatch(self, protocol, span, path, model)

    def endpoint(self, host: Host, prefix: str) -> Endpoint:
        """The route of the metrics."""
        memory = gauges.Memory()

        async def scrape(scope: Scope, receive: Receive, send: Send) -> None:
            accept = header(scope, b"accept")
            text, kind = await gauges.scrape(
                self.metrics, host, memory, self.busy_elsewhere, accept
            )
            await respond(send, 200, kind.encode("ascii"), text, [])

        operation = {"responses": {"200": {"description": "OK", "content": {"text/plain": {}}}}}
        return Endpoint("GET", f"{prefix}/metrics", scrape, "Metrics for Prometheus", operation)


class RouteWatch:
    """Counts the requests of one route; traces and logs them where that was asked for."""

    def __init__(
        self, watch: Instruments, protocol: str, span: str, path: str, model: ModelConfig
    ) -> None:
        self._meter = watch.metrics.of(model).route(protocol)
        self._tracing = watch.tracing
        self._access = watch.access
        self._span = span
        self._path = path
        self._model = model
        self.traces = watch.tracing is not None

    def begin(self, call: Call) -> None:
        """A request has come."""
        if self._tracing is not None:
            call.span = self._tracing.begin(self._span, self._model, call.head)

    def end(self, call: Call, status: int, seconds: float) -> None:
        """A request is over; status 0 is that of one whose client left."""
        status = status or GONE
        self._meter.add(status, seconds)
        if self._tracing is not None and call.span is not None:
            self._tracing.finish(call.span, call)
        if self._access:
            self._log(call, status, seconds * 1000.0)

    def _log(self, call: Call, status: int, milliseconds: float) -> None:
        """Write a line: what was asked in the route's words, never what was sent."""
        token = current.set(call)
        access_log.info(
            "%s %s %d %.2f ms",
            call.head.method,
            self._path,
            status,
            milliseconds,
            extra={"status": status, "milliseconds": round(milliseconds, 3)},
        )
        current.reset(token)
