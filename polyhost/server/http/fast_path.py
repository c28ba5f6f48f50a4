"""The short way of small predictions: answered where their last byte is read, without a task.

A request takes it when nothing about it is special: its address is a route's own to the letter,
its body is small and its length known, its connection stays open. All others go the way of ASGI,
and so does an answer that is not at hand as a whole (a file, a stream). Both ways give the same
bytes.
"""

from __future__ import annotations

import logging
from contextvars import copy_context
from functools import partial
from time import perf_counter
from typing import Any, Callable, Dict, List, MutableMapping, Optional, Tuple

from polyhost.errors import PolyhostError, RequestCancelled
from polyhost.host.observers import Exchange, current
from polyhost.host.request import Pending, Result
from polyhost.server.auth import Keys
from polyhost.server.call.call import JSON, Forward, Shape
from polyhost.server.http.asgi import Header, Receive, Scope, Send, head_of, own_headers
from polyhost.server.http.asgi_turn import NAME, NO_VALUE, AsgiTurn, scope_of
from polyhost.server.http.connection import Connection, Refusal, Turn
from polyhost.server.http.heads import Fault, parse_target
from polyhost.server.http.request_id import chosen_id
from polyhost.server.http.status_lines import STATUS_LINE
from polyhost.server.watch.instrument import GONE
from polyhost.server.watch.metrics import RouteMeter
from polyhost.wire.replies import BODILESS

log = logging.getLogger(__name__)

LARGEST = 64 << 10
"""Bytes of the largest body that goes this way."""


class FastRoute:
    """A route that can answer on the short way. Immutable; all its requests are retried.

    ``meta``: the worker's meta for a content type, None where another way has to be taken.
    ``shape``: an error's status, body and headers for a content type. ``headers``: what every
    answer has, by the request's id.
    """

    def __init__(
        self,
        forward: Forward,
        meta: Callable[[str], Optional[bytes]],
        shape: Callable[[PolyhostError, str], Tuple[int, bytes, List[Header]]],
        headers: Callable[[bytes], List[Header]],
    ) -> None:
        self.forward = forward
        self.meta = meta
        self.shape = shape
        self.headers = headers
        self.meter: Optional[RouteMeter] = None
        self.largest = min(LARGEST, forward.largest)
        self._tail = _lines(headers(b"\0")).split(b"\0")
        self._heads: Dict[bytes, Optional[bytes]] = {}

    def counted(self, meter: RouteMeter) -> FastRoute:
        """The same route, its requests counted."""
        route = FastRoute(self.forward, self.meta, self.shape, self.headers)
        route.meter = meter
        return route

    def turn(self, protocol: Connection, headers: Dict[bytes, bytes]) -> Optional[FastExchange]:
        """A turn for the request whose head is complete; None when it has to go by ASGI."""
        length = headers.get(b"content-length", b"")
        if (
            len(headers) != len(protocol.headers)
            or not length.isdigit()
            or not 0 < int(length) <= self.largest
            or b"transfer-encoding" in headers
        ):
            return None
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        meta = self.meta(content_type)
        if meta is None:
            return None
        return FastExchange(protocol, self, meta, content_type, chosen_id(protocol.headers))

    def answer(self, result: Result, id: bytes) -> Optional[bytes]:
        """The bytes of a whole answer; None when only ASGI can send it."""
        meta = result.meta
        try:
            head = self._heads[meta]
        except KeyError:
            head = _plain_head(*head_of(meta))
            if len(self._heads) < 256:
                self._heads[meta] = head
        if head is None:
            return None
        return self.whole(head, result.body, id)

    def whole(self, head: bytes, body: bytes, id: bytes) -> bytes:
        """Status line and headers with those of every answer, and the body."""
        return b"%bcontent-length: %d\r\n%b\r\n%b" % (head, len(body), id.join(self._tail), body)

    def refusal(self, status: int, body: bytes, extra: List[Header], id: bytes) -> bytes:
        """The bytes of an error's answer."""
        own, body = own_headers(status, JSON, body)
        head = STATUS_LINE[status] + _lines([*own, *extra])
        return head + id.join(self._tail) + b"\r\n" + body


def _lines(headers: List[Header]) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)


def _plain_head(status: int, headers: List[Header]) -> Optional[bytes]:
    """Status line and own headers of an answer; None for one that needs a closer look."""
    for name, value in headers:
        if name in (b"connection", b"content-length", b"transfer-encoding"):
            return None
        if not NAME.fullmatch(name) or NO_VALUE.search(value):
            return None
    if not 200 <= status < 600 or status in BODILESS:
        return None
    return STATUS_LINE[status] + _lines(headers)


class FastExchange(Exchange):
    """One request on the short way: a turn of its connection, and the dispatcher's waiter."""

    __slots__ = (
        "began",
        "body",
        "content_type",
        "answering",
        "complete",
        "gone",
        "keep_alive",
        "meta",
        "more_body",
        "pending",
        "raw_id",
        "url",
        "_done",
        "_ended",
        "_held",
        "_protocol",
        "_route",
    )

    def __init__(
        self,
        protocol: Connection,
        route: FastRoute,
        meta: bytes,
        content_type: str,
        id: bytes,
    ) -> None:
        Exchange.__init__(self, id.decode("ascii"), route.forward.name)
        self.began = perf_counter()
        self.raw_id = id
        self.url = protocol.url
        self.meta = meta
        self.content_type = content_type
        self.body = b""
        self.more_body = True
        self.keep_alive = True
        self.gone = self.answering = self.complete = False
        self.pending: Optional[Pending] = None
        self._protocol = protocol
        self._route = route
        self._done = self._ended = False
        self._held = 0

    def begin(self) -> None:
        """It goes this way only where no other is before it."""

    def add(self, data: bytes) -> None:
        """A piece of the body."""
        self.body += data

    def end(self) -> None:
        """The body is complete: have it answered."""
        self.more_body = False
        forward, body = self._route.forward, self.body
        try:
            forward.budget.take(len(body))
            self._held = len(body)
            self.pending = forward.pool.submit(self.meta, body, True, self)
        except PolyhostError as error:
            self.set_exception(error)

    def leave(self) -> None:
        """The client has gone."""
        self.gone = True
        if self.pending is not None and not self._done:
            self._route.forward.pool.cancel(self.pending)
        self._end(0)

    # What the dispatcher calls

    def done(self) -> bool:
        """It has its answer, or needs none."""
        return self._done

    def cancel(self) -> bool:
        """It needs no answer any more."""
        self._done = True
        return True

    def set_result(self, result: Result) -> None:
        """The worker's answer."""
        self._done = True
        try:
            self._answer(result)
        except Exception:
            self._abort()
            raise

    def _abort(self) -> None:
        """End the connection: its client cannot be answered, and must not wait."""
        self._end(0)
        self._protocol.transport.abort()

    def _answer(self, result: Result) -> None:
        protocol, route = self._protocol, self._route
        if self.pending is not None:
            route.forward.answered(self.pending)
        whole = result.stream is None and result.fd is None and not protocol.write_paused
        data = route.answer(result, self.raw_id) if whole else None
        if data is None:
            self._go_by_asgi(result)
            return
        self._write(head_of(result.meta)[0], data)

    def set_exception(self, error: PolyhostError) -> None:
        """There is none."""
        self._done = True
        if isinstance(error, RequestCancelled):
            self._end(0)
            self._protocol.transport.close()
            return
        try:
            self._refuse(error)
        except Exception:
            self._abort()
            raise

    def _refuse(self, error: PolyhostError) -> None:
        context = copy_context()  # what is logged here is about this request
        context.run(current.set, self)
        status, body, extra = context.run(
            self._route.forward.shaped, error, partial(self._shape, self.content_type)
        )
        self._write(status, self._route.refusal(status, body, extra, self.raw_id))

    def _shape(self, content_type: str, error: PolyhostError) -> Tuple[int, bytes, List[Header]]:
        return self._route.shape(error, content_type)

    def _write(self, status: int, data: bytes) -> None:
        protocol = self._protocol
        if self.gone or protocol.transport.is_closing():
            self._end(0)
            return
        if not self.keep_alive:
            data = data.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
        protocol.transport.write(data)
        self.complete = True
        self._end(status)
        protocol.answered(self)

    def _end(self, status: int) -> None:
        """Count the request, and give back what it held; once."""
        meter = self._route.meter
        if self._ended:
            return
        self._ended = True
        self.pending = None  # it holds us: what is over needs no garbage collector
        if meter is not None:
            meter.add(status or GONE, perf_counter() - self.began)
        if self._held:
            self._route.forward.budget.give_back(self._held)
            self._held = 0

    # An answer in pieces

    def _go_by_asgi(self, result: Result) -> None:
        """Send what is no whole answer in memory, as any other route would."""
        protocol, route, pending = self._protocol, self._route, self.pending
        assert pending is not None
        shape: Shape = partial(self._shape, self.content_type)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def noting(message: MutableMapping[str, Any]) -> None:
                self.status = self.status or message["status"]
                await send(message)

            current.set(self)
            headers = route.headers(self.raw_id)
            try:
                await route.forward.rest(pending, result, receive, noting, headers, shape)
            finally:
                self._end(self.status)

        go_on(protocol, self, answer)


def go_on(connection: Connection, exchange: FastExchange, app: Any) -> None:
    """Answer an exchange's request by an ASGI app, its body having been taken."""
    target = parse_target(b"POST", exchange.url)
    assert target is not None
    scope = scope_of(connection, b"POST", "1.1", target)
    turn = AsgiTurn(connection, app, scope, exchange.keep_alive, False)
    turn.more_body = False
    if exchange.gone:
        turn.leave()
    if connection.last is exchange:
        connection.last = turn
    if connection.turn is exchange:
        connection.turn = turn
    turn.begin()


def may_be_fast(connection: Connection) -> bool:
    """Whether nothing about the connection, or the request's method, asks for ASGI."""
    parser = connection.parser
    return (
        connection.turn is None
        and not connection.write_paused
        and parser.get_method() == b"POST"
        and parser.get_http_version() == "1.1"
        and parser.should_keep_alive()
    )


class Turns:
    """Makes the turn of each request: the short way for those that may take it, else ASGI."""

    def __init__(self, app: Any, fast: Dict[bytes, FastRoute], keys: Keys) -> None:
        self._app = app
        self._fast = fast
        self._keys = keys

    def __call__(self, connection: Connection, names: Dict[bytes, bytes]) -> Turn:
        """The turn of the request whose head has come."""
        route = self._fast.get(connection.url)
        if (
            route is not None
            and b"expect" not in names
            and may_be_fast(connection)
            and self._keys.open(route.forward.name, connection.headers)
        ):
            exchange = route.turn(connection, names)
            if exchange is not None:
                return exchange
        return self._by_asgi(connection, names)

    def _by_asgi(self, connection: Connection, names: Dict[bytes, bytes]) -> Turn:
        parser = connection.parser
        method, version = parser.get_method(), parser.get_http_version()
        target = parse_target(method, connection.url)
        if target is None:
            return Refusal(connection, Fault(400, "the address of the request is not well formed"))
        if target.host:
            fault = connection.wire.hosts.fault(target.host)
            if fault is not None:
                return Refusal(connection, fault)
            own = [pair for pair in connection.headers if pair[0] != b"host"]
            connection.headers = [(b"host", target.host), *own]
        scope = scope_of(connection, method, version, target)
        keep_alive = version != "1.0" and parser.should_keep_alive()
        expects = names.get(b"expect", b"").lower() == b"100-continue"
        return AsgiTurn(connection, self._app, scope, keep_alive, expects)
