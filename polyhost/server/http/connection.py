"""Limits of the wire: connections, heads, and clients that do not come to an end.

What is judged here costs a request three plain calls: heads are measured only where a read was
large enough for one to be too large, and stalled clients are looked for once in a while.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any, List, NamedTuple, Optional, Set, Tuple, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from polyhost.server.http.asgi import Header, Receive, Scope, Send
from polyhost.settings import HostLimits

log = logging.getLogger(__name__)

LINGER = 2.0
"""Seconds for which what a refused client still sends is read, so that it can read its answer:
closing a socket that has unread bytes takes the answer away from its reader."""
MOST_LINGERING = 128
"""Refused connections that are let linger at once; further ones are cut."""
LEAST_PROGRESS = 1024
"""Bytes of a body that have to come in the time that it may pause, unless it ends."""

_begin = HttpToolsProtocol.on_message_begin
_feed = HttpToolsProtocol.data_received
_head_complete = HttpToolsProtocol.on_headers_complete


def message(text: str) -> bytes:
    """The body of an answer that refuses a request."""
    return json.dumps({"message": f"ERROR: {text}"}, separators=(",", ":")).encode() + b"\n"


async def refuse(
    receive: Receive, send: Send, status: int, body: bytes, headers: List[Header]
) -> None:
    """Answer a request whose body was not read, and end its connection.

    The answer goes at once. What the client still sends is then read for a while and dropped.
    """
    length = (b"content-length", str(len(body)).encode())
    own = [(b"content-type", b"application/json"), length, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await asyncio.wait((asyncio.ensure_future(_drain(receive)),), timeout=LINGER)
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    until = time.monotonic() + LINGER
    while time.monotonic() < until:
        found = await receive()
        if found["type"] == "http.disconnect" or not found.get("more_body", False):
            return


class Mark(NamedTuple):
    """What a client owed at the last look: the rest of a head or of a body, and since when."""

    owed: Any
    size: int
    since: float


class Wire:
    """What all connections of a front share: the limits, and who lingers."""

    def __init__(self, limits: HostLimits, fronts: int = 1) -> None:
        most = limits.max_connections
        self.max_connections = None if most is None else max(1, most // fronts)
        self.max_header = limits.max_header
        self.max_query = limits.max_query
        self.timeout = limits.body_timeout
        self.least = min(limits.max_header, limits.max_query)
        self.connections: Set[LimitedProtocol] = set()
        self.lingering: Set[LimitedProtocol] = set()

    def look(self, now: float) -> None:
        """End every connection whose client is too slow."""
        for connection in tuple(self.connections):
            connection.look(now)

    async def watch(self) -> None:
        """Look as often as the time allowed to a client asks for; never returns."""
        if self.timeout is None:
            return
        while True:
            await asyncio.sleep(min(1.0, self.timeout / 4))
            self.look(time.monotonic())


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits. Lives on the event loop's thread."""

    def __init__(self, wire: Wire, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = wire
        self._refused = False
        self._chunk = 0
        self._size = 0
        """Bytes read since a head, or the body after it, began; what came in the same read as a
        head's beginning makes it negative or zero."""
        self._mark: Optional[Mark] = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        wire = self._wire
        most = wire.max_connections
        if most is not None and len(wire.connections) >= most:
            self._refuse(503, f"{most} clients are connected, and no more may be: try again soon")
        else:
            wire.connections.add(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        super().connection_lost(exc)
        self._wire.connections.discard(self)
        self._wire.lingering.discard(self)

    # Heads

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._chunk = len(data)
        _feed(self, data)
        self._size += self._chunk
        if self._size > self._wire.least:
            self._check_unfinished()

    def on_message_begin(self) -> None:
        self._size = -self._chunk
        _begin(self)

    def on_headers_complete(self) -> None:
        if self._chunk > self._wire.least or self._size >= 0:
            self._check_head()
        else:
            self._size = 0
            self.head_complete()

    def head_complete(self) -> None:
        """The head has come, and is not too large."""
        _head_complete(self)

    def _check_head(self) -> None:
        """Measure a head that may be too large; one that is has its request refused."""
        self._size = 0
        wire = self._wire
        path, _, query = self.url.partition(b"?")
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(query) > wire.max_query or len(path) > wire.max_query:
            text = f"{_long_query(wire)}; found {len(self.url)}"
            self.url = b"/"  # what is longer than 64 KiB could not even be taken apart
            self._divert(414, text)
        elif size > wire.max_header:
            self._divert(431, f"{_long_head(wire)}; found {size}")
        else:
            self.head_complete()

    def _divert(self, status: int, text: str) -> None:
        """Have the request that begins answered with a refusal, in its turn."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await refuse(receive, send, status, message(text), [])

        self.app, app = cast(Any, answer), self.app
        try:
            _head_complete(self)
        finally:
            self.app = app

    def _check_unfinished(self) -> None:
        """A head that has no end yet, and is too large as it stands."""
        wire = self._wire
        if self._refused or self.transport.is_closing() or not self._in_head:
            return
        if self._size > wire.max_header + 2 * wire.max_query:
            if self.headers or len(self.url) <= wire.max_query:
                self._refuse(431, _long_head(wire))
            else:
                self._refuse(414, _long_query(wire))

    @property
    def _in_head(self) -> bool:
        cycle, scope = self._now()
        return scope is not None and (cycle is None or cycle.scope is not scope)

    def _now(self) -> Tuple[Any, Any]:
        """The request that came last, and the scope of the one whose head comes; None before."""
        return self.cycle, self.scope

    # Clients that are too slow

    def look(self, now: float) -> None:
        """End the connection when what its client owes has not come in time."""
        timeout, cycle, mark = self._wire.timeout, self.cycle, self._mark
        owed = self._owed()
        if owed is None or timeout is None or self._refused or self.transport.is_closing():
            self._mark = None
        elif (
            mark is None
            or mark.owed is not owed
            or (owed is cycle and self._size - mark.size >= LEAST_PROGRESS)
        ):
            self._mark = Mark(owed, self._size, now)
        elif now - mark.since >= timeout:
            self._end_slow(timeout)

    def _owed(self) -> Any:
        """What the client has begun to send and not ended: a head, or a body that is waited for."""
        cycle, scope = self._now()
        if cycle is None:
            return self if scope is None else scope
        if cycle.scope is not scope:
            return scope if cycle.response_complete else None
        return cycle if cycle.more_body and not self.flow.read_paused else None

    def _end_slow(self, timeout: float) -> None:
        cycle, scope = self._now()
        begun = cycle is not None and not self._in_head
        if scope is None or (begun and (cycle.response_started or cycle.disconnected)):
            self.transport.close()
            return
        what = "body" if begun else "head"
        if begun:
            cycle.disconnected = True
            cycle.message_event.set()
        self._refuse(
            408, f"the request's {what} did not come on within {timeout:g} s: send it without pause"
        )

    def _refuse(self, status: int, text: str) -> None:
        """Answer outside of any request, and end the connection."""
        self._refused = True
        wire, transport = self._wire, self.transport
        wire.connections.discard(self)
        body = message(text)
        retry = b"retry-after: 1\r\n" if status == 503 else b""
        head = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        transport.write(b"%b%b%bconnection: close\r\n\r\n" % (STATUS_LINE[status], head, retry))
        transport.write(body)
        log.info("a connection was refused with %d: %s", status, text)
        if not transport.can_write_eof() or len(wire.lingering) >= MOST_LINGERING:
            transport.close()
            return
        wire.lingering.add(self)
        transport.write_eof()
        self.loop.call_later(LINGER, transport.abort)


def _long_query(wire: Wire) -> str:
    return f"the address is too long: its path and query may have {wire.max_query} bytes each"


def _long_head(wire: Wire) -> str:
    return f"the headers are too large: together they may have {wire.max_header} bytes"
