"""What a front process runs: predictions answered here, everything else passed on."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any, Dict, List, Mapping, Optional

from polyhost.host.shared_counts import BODIES, CONNECTIONS, SharedCounts
from polyhost.host.spool import Budget
from polyhost.host.sweeper import Sweeper
from polyhost.server.call.route import Service
from polyhost.server.credentials import Access
from polyhost.server.dialects import endpoints_of
from polyhost.server.fronts.channel import Channel, Message
from polyhost.server.fronts.front_state import FrontHost
from polyhost.server.fronts.supervisor_proxy import Relay
from polyhost.server.grpc.serving import serve_clients
from polyhost.server.http.asgi import Receive, Scope, Send
from polyhost.server.http.endpoint import Endpoint, fast_routes
from polyhost.server.http.fast_path import FastRoute
from polyhost.server.http.listen import runner
from polyhost.server.watch.instrument import Instruments
from polyhost.server.watch.tracing import open_tracing
from polyhost.settings import ServerSettings

SWEEP = 0.05
COUNTS_EVERY = 1.0
"""Seconds between two reports to the supervisor, which takes them as a sign of life too."""


def serve_front(
    settings: ServerSettings,
    sock: socket.socket,
    channel: socket.socket,
    number: int,
    *,
    supervisor: str,
    counts: SharedCounts,
) -> int:
    """Serve until the supervisor says stop, or ends; the exit code."""
    runner()(FrontProcess(settings, number, counts, supervisor).serve(sock, channel))
    return 0


class FrontProcess:
    """One front: the application, what it knows of models, and the channel that says it."""

    def __init__(
        self, settings: ServerSettings, number: int, counts: SharedCounts, supervisor: str
    ) -> None:
        tracing = open_tracing(os.environ)
        self._settings = settings
        self._counts = counts
        self._number = number
        self._tracing = tracing
        self._watch = Instruments(
            marks_output=settings.log_format == "json", access=settings.access_log, tracing=tracing
        )
        self._access = Access(settings)
        self._supervisor = supervisor
        self._begun: asyncio.Event
        self._stop: asyncio.Event
        self._channel: Channel
        self._host: FrontHost
        self._reported = 0.0

    async def serve(self, sock: socket.socket, channel: socket.socket) -> None:
        """Receive the state of the server, then serve: no client is let in by keys that may be old."""
        self._begun, self._stop = asyncio.Event(), asyncio.Event()
        self._host = FrontHost(self._ask, self._watch.of, self._counts, self._number)
        budget = Budget(self._settings.limits.body_budget, self._counts.count(BODIES, self._number))
        service = Service(self._settings, budget, self._access.keys, self._watch)
        app = FrontApplication(self._host, service, self._supervisor)
        self._channel = Channel(channel, "supervisor", self._on_message, self._on_end)
        sweeper = Sweeper(SWEEP)
        sweeper.parts += [self._host.sweep, self._count]
        sweeper.start()
        await self._begun.wait()
        if not self._stop.is_set():
            connected = self._counts.count(CONNECTIONS, self._number)
            settings, access, stop = self._settings, self._access, self._stop
            await serve_clients(app, settings, access, sock, stop, connected)
        sweeper.stop()
        self._report()
        await asyncio.sleep(0)  # one turn of the loop, in which what was queued is written
        self._channel.close()
        if self._tracing is not None:
            self._tracing.close()

    def _ask(self, message: Mapping[str, Any]) -> None:
        self._channel.send(message)

    def _on_message(self, message: Message, fd: Optional[int]) -> None:
        what = message["what"]
        if what == "begin":
            self._begun.set()
        elif what == "stop":
            self._on_end()
        elif what == "access":
            self._access.use_wire(message["access"])
        else:
            self._host.on_message(message, fd)

    def _on_end(self) -> None:
        """The supervisor says so, or has ended itself."""
        self._stop.set()
        self._begun.set()

    def _count(self, now: float) -> None:
        if now - self._reported > COUNTS_EVERY:
            self._reported = now
            self._report()

    def _report(self) -> None:
        counted, busy = self._watch.metrics.take_wire(), self._host.busy_by_pool()
        self._ask({"what": "counts", "counted": counted, "busy": busy})


class FrontApplication:
    """The ASGI app of a front."""

    def __init__(self, host: FrontHost, service: Service, supervisor: str) -> None:
        self._host = host
        self._service = service
        self._routes: Dict[str, Endpoint] = {}
        self._stale = False
        self.fast: Dict[bytes, FastRoute] = {}
        """Routes with a short way; always the same dictionary."""
        self._relay = Relay(supervisor)
        host.on_change.append(self._changed)

    def _changed(self) -> None:
        """Make new routes, once for all messages that come together."""
        if not self._stale:
            self._stale = True
            asyncio.get_running_loop().call_soon(self.refresh)

    def refresh(self) -> None:
        """Routes that this process answers: those that speak a protocol for a loaded model.

        The supervisor answers for a model that is not loaded: only it can load one, and let
        requests wait for it.
        """
        self._stale = False
        found: List[Endpoint] = []
        prefix = self._service.settings.url_prefix
        for name, held in self._host.models.items():
            if held.active is None:
                continue
            places = [f"{prefix}/models/{name}"]
            if len(self._host.models) == 1:
                places.append(prefix)
            own = endpoints_of(held, self._service, places)
            found.extend(endpoint for endpoint in own if endpoint.route is not None)
        self._routes = {path: endpoint for endpoint in found for path in endpoint.paths}
        self.fast.clear()
        self.fast.update(fast_routes(found))

    def endpoint(self, path: str, method: str) -> Optional[Endpoint]:
        """What answers a path and a method in this process; None where the supervisor does."""
        found = self._routes.get(path)
        return found if found is not None and found.method == method else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self.endpoint(scope["path"], scope["method"])
            if endpoint is not None:
                await endpoint.handler(scope, receive, send)
                return
            await self._relay(scope, receive, send)
