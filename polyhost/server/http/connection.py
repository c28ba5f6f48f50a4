"""A client's connection: an HTTP/1.1 protocol on httptools, with limits. Lives on the event loop.

Requests are answered in the order in which they came. Each is a :class:`Turn`; a :class:`Wire`
makes the turn of each head, and holds what all connections of a process share. A request that
cannot be served, by its head or by its framing, gets its refusal in its turn too; after that
nothing more is read from the connection as a request.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Deque, List, Optional, Tuple, cast

import httptools

from polyhost.server.http.heads import Fault, Header, fault_of, without_upgrade
from polyhost.server.http.slowness import NOTHING, Owed, Slowness
from polyhost.server.http.status_lines import STATUS_LINE, message
from polyhost.server.http.turn import Refusal, Turn
from polyhost.server.http.wire import LINGER, MOST_LINGERING, Wire

logger = logging.getLogger(__name__)

HIGH_WATER = 64 << 10
"""Bytes of a body that wait to be taken before reading is paused."""


class _Deaf(Exception):
    """Nothing more is read as a request; ends the parser's work on what came."""


class Connection(asyncio.Protocol):
    """One client. ``turn`` is the request that is answered, ``last`` the one that came last."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.loop = wire.loop
        self.parser: Any = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport = cast(Any, None)
        self.server: Optional[Tuple[str, Optional[int]]] = None
        self.client: Optional[Tuple[str, int]] = None
        self.write_paused = False
        self.url = b""
        self.headers: List[Header] = []
        self.turn: Optional[Turn] = None
        self.last: Optional[Turn] = None
        self._queue: Deque[Turn] = deque()
        self._writable: Optional[asyncio.Event] = None
        self._reading = True
        self._head: Optional[object] = None
        """Stands for the head that comes now."""
        self._in_body = False
        self._offer = False
        """The request offers to change protocols."""
        self._deaf = False
        self._refused = False
        self._chunk = 0
        self._size = 0
        """Bytes read since a head, or the body after it, began; what came in the same read as a
        head's beginning makes it negative or zero."""
        self._quiet = 0
        """Bytes read since the last piece of a body; counted alike."""
        self._trailers = 0
        self._slowness = Slowness()

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.server = _address(transport, "sockname")
        self.client = cast(Any, _address(transport, "peername"))
        wire = self.wire
        if wire.full:
            most = wire.max_connections
            text = f"{most} clients are connected, and no more may be: try again soon"
            self._deaf = True
            self.refuse(503, text)
        else:
            wire.connections.add(self)
        wire.publish()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self._deaf = True
        self.wire.connections.discard(self)
        self.wire.lingering.discard(self)
        self.wire.publish()
        turns = [turn for turn in (self.turn, *self._queue) if turn is not None]
        self._queue.clear()
        self.turn = self.last = None
        for turn in turns:
            turn.leave()
        self.resume_writing()
        self.parser = None

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()

    async def drain(self) -> None:
        """Return when the client has read enough for more to be written, or is gone."""
        while self.write_paused:
            if self._writable is None:
                self._writable = asyncio.Event()
            self._writable.clear()
            await self._writable.wait()

    def pause_reading(self) -> None:
        """Have what the client sends wait in its socket."""
        if self._reading:
            self._reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()

    # What comes

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._chunk = len(data)
        while data:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_offer(data[upgrade.args[0] :])
            except httptools.HttpParserError as error:
                self._on_bad_data(error)
                return
        self._size += self._chunk
        self._quiet += self._chunk
        if self._size > self.wire.least and self._head is not None:
            self._check_unfinished_head()
        elif self._in_body and self._quiet > self.wire.max_header:
            self._fault(Fault(431, "a chunk's extensions, or the trailers, are too large"))

    def _on_bad_data(self, error: Exception) -> None:
        if self._deaf:
            return
        cause = error.__context__
        if isinstance(error, httptools.HttpParserCallbackError) and cause is not None:
            logger.error("a request could not be handled", exc_info=cause)
            self._fault(Fault(500, "the request could not be handled"))
        else:
            self._fault(Fault(400, f"the request is not well formed: {_first_line(error)}"))

    def on_message_begin(self) -> None:
        if self._deaf:
            raise _Deaf
        self.url = b""
        self.headers = []
        self._head = self.headers
        self._trailers = 0
        self._size = -self._chunk

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:
            self.headers.append((name.lower(), value))
            return
        self._trailers += len(name) + len(value) + 4  # counted, and otherwise ignored
        if self._trailers > self.wire.max_header:
            self._fault(self.wire.long_head())
            raise _Deaf

    def on_headers_complete(self) -> None:
        parser = self.parser
        if parser.should_upgrade():
            self._offer = True
            return
        self._head = None
        self._in_body = True
        headers, names = self.headers, dict(self.headers)
        fault: Optional[Fault] = None
        if self._chunk > self.wire.least or self._size >= 0:
            fault = self.wire.too_long(self.url, self.headers)
        self._size = 0
        self._quiet = -self._chunk
        fault = fault or fault_of(parser.get_http_version(), headers, names, self.wire.hosts)
        if fault is not None:
            self._fault(fault)
            raise _Deaf
        turn = self.last = self.wire.turn_of(self, names)
        if self.turn is None:
            self.turn = turn
            turn.begin()
        else:
            self.pause_reading()
            self._queue.append(turn)

    def on_body(self, body: bytes) -> None:
        self._quiet = -self._chunk
        turn = self.last
        if turn is not None and not turn.complete:
            turn.add(body)

    def on_message_complete(self) -> None:
        if self._offer:
            return
        self._in_body = False
        turn = self.last
        if turn is None:
            return
        if not turn.keep_alive:
            self._deaf = True  # what follows it is not answered
        if turn.complete:  # answered before its body was
            turn.more_body = False
            if self.turn is turn:
                self.answered(turn)
        else:
            turn.end()

    def _without_offer(self, rest: bytes) -> bytes:
        """A request that offers another protocol, for a new parser, without the offer.

        ``rest``: what follows its head, which the parser takes for the other protocol. Empty when
        the request is refused.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        self._offer = False
        self.parser = httptools.HttpRequestParser(self)
        fault = self.wire.too_long(self.url, self.headers)
        if method == b"CONNECT":
            fault = Fault(501, "CONNECT is not supported: this is not a proxy")
        if fault is not None:
            self._fault(fault)
            return b""
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % pair for pair in without_upgrade(self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + rest

    # Answers

    def answered(self, turn: Turn) -> None:
        """The answer of the request whose turn it is has been written."""
        if not turn.keep_alive:
            self._deaf = True
            if turn.more_body:
                self.linger()
            else:
                self.transport.close()
        elif turn.more_body:
            self.resume_reading()
        else:
            self._next()

    def _next(self) -> None:
        self.turn = None
        if self._queue:
            turn = self.turn = self._queue.popleft()
            turn.begin()
        else:
            self.resume_reading()

    def _fault(self, fault: Fault) -> None:
        """Refuse the request that comes, in its turn, and read no further one."""
        self._deaf = True
        self._head = None
        turn = self.turn
        if turn is not None and turn.complete:  # its body went wrong once it was answered
            self.transport.close()
        elif turn is not None and turn is self.last and turn.more_body:
            self._break_off(turn, fault)
        elif turn is not None:
            last = self._queue[-1] if self._queue else None
            if last is not None and last is self.last and last.more_body:
                self._queue.pop()
            self._queue.append(Refusal(self, fault))
        else:
            self.turn = Refusal(self, fault)
            self.turn.begin()

    def _break_off(self, turn: Turn, fault: Fault) -> None:
        """End a request whose body cannot be read to its end."""
        turn.keep_alive = False
        answering = turn.answering
        turn.leave()
        if answering:
            self.transport.close()
        else:
            self.turn = Refusal(self, fault)
            self.turn.begin()

    def refuse(self, status: int, text: str) -> None:
        """Answer outside of any request, and end the connection."""
        body = message(text)
        retry = b"retry-after: 1\r\n" if status == 503 else b""
        head = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        logger.info("a connection was refused with %d: %s", status, text)
        self.transport.write(
            b"%b%b%bconnection: close\r\n\r\n%b" % (STATUS_LINE[status], head, retry, body)
        )
        self.linger()

    def linger(self) -> None:
        """Close our side; what the client still sends is dropped for a while.

        Closing a socket that has unread bytes takes the answer away from its reader.
        """
        wire, transport = self.wire, self.transport
        self._deaf = self._refused = True
        wire.connections.discard(self)
        wire.publish()
        if not transport.can_write_eof() or len(wire.lingering) >= MOST_LINGERING:
            transport.close()
            return
        wire.lingering.add(self)
        self.resume_reading()
        transport.write_eof()
        self.loop.call_later(LINGER, transport.abort)

    # Limits

    def _check_unfinished_head(self) -> None:
        """Refuse a head that has no end yet, and is too large as it stands."""
        wire = self.wire
        if self._size > wire.max_header + 2 * wire.max_query:
            query = not self.headers and len(self.url) > wire.max_query
            self._fault(wire.long_query() if query else wire.long_head())

    def look(self, now: float) -> None:
        """End the connection when what its client owes has not come in time."""
        if self._refused or self.transport.is_closing():
            return
        found = self._slowness.look(now, *self._owed(), self._size)
        if found is not None:
            self._end_slow(found)

    def _owed(self) -> Owed:
        """What the client has begun to send and not ended, and the seconds that it has for it."""
        wire, last = self.wire, self.last
        if self._head is not None:
            return (self._head, wire.timeout) if self.turn is None else NOTHING
        if last is None:
            return self, wire.timeout
        if self._in_body:
            return (last, wire.timeout) if self._reading else NOTHING
        return (self.headers, wire.keep_alive) if self.turn is None else NOTHING

    def _end_slow(self, allowed: float) -> None:
        turn = self.turn
        if self._head is not None:
            what = "head"
        elif turn is None or turn.answering or not self._in_body:
            self.transport.close()
            return
        else:
            what = "body"
        text = f"the request's {what} did not come on within {allowed:g} s: send it without pause"
        self._fault(Fault(408, text))

    def stop(self) -> None:
        """Close the connection once what was asked is answered."""
        last = self.last
        if self.turn is None:
            self._deaf = True
            self.transport.close()
        elif last is not None:
            last.keep_alive = False


def _address(transport: asyncio.BaseTransport, what: str) -> Optional[Tuple[str, Optional[int]]]:
    found = transport.get_extra_info(what)
    if isinstance(found, (list, tuple)) and len(found) >= 2:
        return str(found[0]), int(found[1])
    return (str(found), None) if found and what == "sockname" else None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
