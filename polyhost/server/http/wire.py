"""What all connections of a process share: the limits, and which of them are there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Sequence, Set

from polyhost.host.shared_counts import SharedCount
from polyhost.host.sweeper import Sweeper
from polyhost.server.http.heads import Fault, Header, HostRule
from polyhost.settings import HostLimits

if TYPE_CHECKING:
    from polyhost.server.http.connection import Connection
    from polyhost.server.http.turn import Turn

LINGER = 2.0
"""Seconds for which what a refused client still sends is read, so that it can read its answer."""
MOST_LINGERING = 128
"""Refused connections that are let linger at once; further ones are closed."""
KEEP_ALIVE = 60.0
"""Seconds that a connection may be idle between two requests."""
LOOK_EVERY = 1.0
HANDSHAKE = 10.0
"""Most seconds that a TLS handshake may take."""

TurnOf = Callable[["Connection", Dict[bytes, bytes]], "Turn"]


class Wire:
    """Connections of one process. ``turn_of`` makes the turn of a request whose head has come.

    ``connected``: the number of connections that several fronts keep together; the limit is for it.
    """

    def __init__(
        self,
        limits: HostLimits,
        turn_of: TurnOf,
        hosts: HostRule,
        connected: Optional[SharedCount] = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.turn_of = turn_of
        self.hosts = hosts
        self.max_connections = limits.max_connections
        self._connected = connected
        self.max_header = limits.max_header
        self.max_query = limits.max_query
        self.timeout = limits.body_timeout
        self.keep_alive = KEEP_ALIVE
        self.least = min(limits.max_header, limits.max_query)
        self.scheme = "http"
        self.connections: Set[Connection] = set()
        self.lingering: Set[Connection] = set()
        self.handshakes: Set[Any] = set()
        self.tasks: Set[asyncio.Task[None]] = set()
        """What answers requests."""
        pause = LOOK_EVERY if self.timeout is None else min(LOOK_EVERY, self.timeout / 4)
        self.sweeper = Sweeper(pause)
        """Looks at the connections as often as the time allowed to a client asks for."""
        self.sweeper.parts.append(self.look)

    @property
    def full(self) -> bool:
        """Whether there are as many connections, or beginnings of them, as there may be."""
        most, shared = self.max_connections, self._connected
        if most is None:
            return False
        own = len(self.connections) + len(self.handshakes)
        if shared is None:
            return own >= most
        shared.put(own + 1)  # before the sum is read: two fronts never both take the last place
        if own + shared.others < most:
            return False
        shared.put(own)
        return True

    def publish(self) -> None:
        """Let other fronts know how many connections there are, after there are more or fewer."""
        if self._connected is not None:
            self._connected.put(len(self.connections) + len(self.handshakes))

    @property
    def handshake(self) -> float:
        """Seconds that a client has for its TLS handshake."""
        return HANDSHAKE if self.timeout is None else min(HANDSHAKE, self.timeout)

    def too_long(self, url: bytes, headers: Sequence[Header]) -> Optional[Fault]:
        """Why a head that may be too large is."""
        path, _, query = url.partition(b"?")
        size = sum(len(name) + len(value) + 4 for name, value in headers)
        if len(query) > self.max_query or len(path) > self.max_query:
            return self.long_query(f"; found {len(url)}")
        return self.long_head(f"; found {size}") if size > self.max_header else None

    def long_query(self, found: str = "") -> Fault:
        """The refusal of an address that is too long."""
        most = self.max_query
        text = f"the address is too long: its path and query may have {most} bytes each"
        return Fault(414, text + found)

    def long_head(self, found: str = "") -> Fault:
        """The refusal of headers, or trailers, that are too large."""
        text = f"the headers are too large: together they may have {self.max_header} bytes"
        return Fault(431, text + found)

    def look(self, now: float) -> None:
        """End every connection whose client is too slow."""
        for connection in tuple(self.connections):
            self.sweeper.call(connection.look, now)

    def run(self, coroutine: Any) -> None:
        """Run what answers a request."""
        task = self.loop.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def drain(self, grace: float) -> None:
        """Answer what was asked, for so many seconds; then end what is left."""
        for connection in tuple(self.connections):
            connection.stop()
        until = self.loop.time() + grace
        while (self.connections or self.tasks) and self.loop.time() < until:
            await asyncio.sleep(0.02)
        for task in tuple(self.tasks):
            task.cancel()
        for connection in (*self.connections, *self.lingering):
            connection.transport.abort()
        if self.tasks:
            await asyncio.wait(tuple(self.tasks), timeout=1.0)
