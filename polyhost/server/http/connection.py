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
from typing import Any, Deque, List, NamedTuple, Optional, Protocol, Tuple, cast

import httptools

from polyhost.server.http.heads import Fault, Header, fault_of, without_upgrade
from polyhost.server.http.status_lines import STATUS_LINE, message
from polyhost.server.http.wire import LINGER, MOST_LINGERING, Wire

logger = logging.getLogger(__name__)

LEAST_PROGRESS = 1024
"""Bytes of a body that have to come in the time that it may pause, unless it ends."""
HIGH_WATER = 64 << 10
"""Bytes of a body that wait to be taken before reading is paused."""


class Turn(Protocol):
    """One request on a connection, from its head to its answer."""

    keep_alive: bool
    more_body: bool
    """The body is not complete yet."""
    answering: bool
    """A part of the answer has been written."""
    complete: bool
    """The answer has been written."""

    def begin(self) -> None:
        """Answers to all earlier requests are written: this one may be answered."""
        ...

    def add(self, data: bytes, /) -> object:
        """A piece of the body."""
        ...

    def end(self) -> None:
        """The body is complete."""
        ...

    def leave(self) -> None:
        """The client has gone away."""
        ...


class Mark(NamedTuple):
    """What a client owed at the last look: the rest of a head or of a body, and since when."""

    owed: Any
    size: int
    since: float


class _Deaf(Exception):
    """Nothing more is read as a request; ends the parser's work on what came."""


class Refusal:
    """The turn of a request that is not served: one answer, and the end of the connection."""

    keep_alive = False
    more_body = False

    def __init__(self, connection: Connection, fault: Fault) -> None:
        self._connection = connection
        self._fault = fault
        self.answering = self.complete = False

    def begin(self) -> None:
        self.answering = self.complete = True
        self._connection.refuse(*self._fault)

    def add(self, data: bytes) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def leave(self) -> None:
        """Nothing."""


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
        self._mark: Optional[Mark] = None

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
            self._fault(Fault(431, _long_head(self.wire)))
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
            fault = self._long()
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
        fault = self._long()
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

    def _long(self) -> Optional[Fault]:
        """Why a head that may be too large is."""
        wire = self.wire
        path, _, query = self.url.partition(b"?")
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(query) > wire.max_query or len(path) > wire.max_query:
            return Fault(414, f"{_long_query(wire)}; found {len(self.url)}")
        if size > wire.max_header:
            return Fault(431, f"{_long_head(wire)}; found {size}")
        return None

    def _check_unfinished_head(self) -> None:
        """Refuse a head that has no end yet, and is too large as it stands."""
        wire = self.wire
        if self._size > wire.max_header + 2 * wire.max_query:
            if self.headers or len(self.url) <= wire.max_query:
                self._fault(Fault(431, _long_head(wire)))
            else:
                self._fault(Fault(414, _long_query(wire)))

    def look(self, now: float) -> None:
        """End the connection when what its client owes has not come in time."""
        owed, allowed = self._owed()
        mark = self._mark
        if owed is None or allowed is None or self._refused or self.transport.is_closing():
            self._mark = None
        elif (
            mark is None
            or mark.owed is not owed
            or (owed is self.last and self._size - mark.size >= LEAST_PROGRESS)
        ):
            self._mark = Mark(owed, self._size, now)
        elif now - mark.since >= allowed:
            self._end_slow(allowed)

    def _owed(self) -> Tuple[Any, Optional[float]]:
        """What the client has begun to send and not ended, and the seconds that it has for it."""
        wire, last = self.wire, self.last
        if self._head is not None:
            return (self._head, wire.timeout) if self.turn is None else (None, None)
        if last is None:
            return self, wire.timeout
        if self._in_body:
            return (last, wire.timeout) if self._reading else (None, None)
        return (self.headers, wire.keep_alive) if self.turn is None else (None, None)

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


def _long_query(wire: Wire) -> str:
    return f"the address is too long: its path and query may have {wire.max_query} bytes each"


def _long_head(wire: Wire) -> str:
    return f"the headers are too large: together they may have {wire.max_header} bytes"
