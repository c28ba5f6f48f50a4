"""What a front process runs: predictions answered here, everything else passed on."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any, Callable, Dict, List, Mapping

from polyhost.host.spool import Budget
from polyhost.host.sweeper import Part, Sweeper
from polyhost.server.credentials import Access
from polyhost.server.dialects import endpoints_of
from polyhost.server.fronts.channel import Channel
from polyhost.server.fronts.front_state import FrontHost
from polyhost.server.fronts.supervisor_proxy import Relay
from polyhost.server.http.asgi import Receive, Scope, Send, Watcher
from polyhost.server.http.endpoint import Endpoint, fast_routes
from polyhost.server.http.fast_path import FastRoute
from polyhost.server.http.listen import listen, runner
from polyhost.server.watch.exposition import families_to_wire
from polyhost.server.watch.instrument import Observation
from polyhost.server.watch.tracing import open_tracing
from polyhost.settings import ServerSettings

SWEEP = 0.05
COUNTS_EVERY = 1.0


def serve_front(
    settings: ServerSettings, sock: socket.socket, channel: Channel, supervisor: str
) -> int:
    """Serve until the supervisor says stop, or ends; the exit code."""
    runner()(_serve(settings, sock, channel, supervisor))
    return 0


async def _serve(
    settings: ServerSettings, sock: socket.socket, channel: Channel, supervisor: str
) -> None:
    stop = asyncio.Event()
    tracing = open_tracing(os.environ)
    watch = Observation(
        marks_output=settings.log_format == "json", access=settings.access_log, tracing=tracing
    )

    def ask(message: Mapping[str, Any]) -> None:
        channel.send(dict(message))

    access = Access(settings)
    host = FrontHost(ask, watch.of)
    app = FrontApp(host, settings, watch, supervisor)

    def on_channel() -> None:
        while True:
            try:
                message, fd = channel.receive()
            except BlockingIOError:
                return
            if message is None or "stop" in message:
                asyncio.get_running_loop().remove_reader(channel.sock.fileno())
                stop.set()
                return
            if "access" in message:
                access.use_wire(message["access"])
                continue
            host.on_message(message, fd)

    asyncio.get_running_loop().add_reader(channel.sock.fileno(), on_channel)
    sweeper = Sweeper(SWEEP)
    sweeper.parts += [host.sweep, app.watcher.sweep, _counts(watch, ask)]
    sweeper.start()
    await listen(app, settings, access, sock, stop)
    sweeper.stop()
    if tracing is not None:
        tracing.close()


def _counts(watch: Observation, ask: Callable[[Mapping[str, Any]], None]) -> Part:
    """What sends this front's counts to the supervisor, every COUNTS_EVERY seconds."""
    sent = 0.0

    def send(now: float) -> None:
        nonlocal sent
        if now - sent > COUNTS_EVERY:
            sent = now
            ask({"families": families_to_wire(watch.metrics.families())})

    return send


class FrontApp:
    """The ASGI app of a front."""

    def __init__(
        self, host: FrontHost, settings: ServerSettings, watch: Observation, supervisor: str
    ) -> None:
        self.watcher = Watcher()
        self._host = host
        self._settings = settings
        self._watch = watch
        self._budget = Budget(settings.limits.body_budget)
        self._routes: Dict[str, Endpoint] = {}
        self.fast: Dict[bytes, FastRoute] = {}
        """Routes with a short way; always the same dictionary."""
        self._relay = Relay(supervisor)
        host.on_change.append(self._refresh)

    def _refresh(self) -> None:
        """Routes that this process answers: those that speak a protocol for a model."""
        found: List[Endpoint] = []
        prefix = self._settings.url_prefix
        for name, held in self._host.models.items():
            places = [f"{prefix}/models/{name}"]
            if len(self._host.models) == 1:
                places.append(prefix)
            own = endpoints_of(held, self._settings, self._budget, self.watcher, places)
            spoken = [endpoint for endpoint in own if endpoint.protocol]
            found.extend(self._watch.watched(spoken, held.model))
        self._routes = {path: endpoint for endpoint in found for path in endpoint.paths}
        self.fast.clear()
        self.fast.update(fast_routes(found))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self._routes.get(scope["path"])
            if endpoint is not None and endpoint.method == scope["method"]:
                await endpoint.handler(scope, receive, send)
                return
            await self._relay(scope, receive, send)
