"""Everything that watches a server: metrics always; access log, traces, output marks on request."""

from __future__ import annotations

import logging
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Awaitable, Callable, Iterable, List, Optional

from polyhost.host.host import Host
from polyhost.host.observers import Exchange, ModelObserver, current
from polyhost.server.http.asgi import Message, Receive, Scope, Send, header, respond
from polyhost.server.http.endpoint import Endpoint, Handler
from polyhost.server.http.request_id import request_id
from polyhost.server.watch import gauges
from polyhost.server.watch.metrics import Metrics, RouteMeter
from polyhost.server.watch.tracing import Tracing
from polyhost.settings import HostedModel

if TYPE_CHECKING:
    from polyhost.server.http.fast_path import FastRoute

access_log = logging.getLogger("polyhost.access")

GONE = 499
"""The code that is counted when a client left before its answer."""


class Observation:
    """Wraps the endpoints of models that have a protocol; all others are left alone."""

    def __init__(
        self, *, marks_output: bool = False, access: bool = False, tracing: Optional[Tracing] = None
    ) -> None:
        self.metrics = Metrics(marks_output=marks_output)
        self.busy_elsewhere: Callable[[str], int] = lambda model: 0
        """Requests of a model that other processes of this server hold."""
        self._access = access
        self._tracing = tracing

    def of(self, model: HostedModel) -> ModelObserver:
        """What the model's pool reports to."""
        return self.metrics.of(model)

    def watched(self, endpoints: Iterable[Endpoint], model: HostedModel) -> List[Endpoint]:
        """The endpoints, those that answer for the model counted."""
        return [
            replace(
                endpoint, handler=self._watch(endpoint, model), fast=self._fast(endpoint, model)
            )
            if endpoint.protocol
            else endpoint
            for endpoint in endpoints
        ]

    def _watch(self, endpoint: Endpoint, model: HostedModel) -> Handler:
        handler = endpoint.handler
        if self._tracing is not None:
            handler = self._tracing.traced(handler, endpoint.span, model)
        meter = self.metrics.of(model).route(endpoint.protocol)
        handler = _counted(handler, model.name, meter)
        return _logged(handler, endpoint.path) if self._access else handler

    def _fast(self, endpoint: Endpoint, model: HostedModel) -> Optional[FastRoute]:
        """The short way is counted too; where more is wanted of a request, it has to go the long."""
        if endpoint.fast is None or self._tracing is not None or self._access:
            return None
        return endpoint.fast.counted(self.metrics.of(model).route(endpoint.protocol))

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


def _counted(handler: Handler, model: str, meter: RouteMeter) -> Handler:
    """Count each request, and make it the current exchange of its task, which ends with it."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        exchange = Exchange(request_id(scope).decode("ascii"), model)
        current.set(exchange)

        def noting(message: Message) -> Awaitable[None]:
            if not exchange.status:
                exchange.status = message["status"]
            return send(message)

        try:
            await handler(scope, receive, noting)
        except Exception:
            exchange.status = exchange.status or 500
            raise
        finally:
            meter.add(exchange.status or GONE, perf_counter() - began)

    return handle


def _logged(handler: Handler, path: str) -> Handler:
    """Write a line for each request: what was asked in the route's words, never what was sent."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        try:
            await handler(scope, receive, send)
        finally:
            exchange = current.get()
            status = (exchange.status if exchange is not None else 0) or GONE
            milliseconds = (perf_counter() - began) * 1000.0
            access_log.info(
                "%s %s %d %.2f ms",
                scope["method"],
                path,
                status,
                milliseconds,
                extra={"status": status, "milliseconds": round(milliseconds, 3)},
            )

    return handle
