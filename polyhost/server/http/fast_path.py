"""The short way of small predictions: answered where their last byte is read, without a task.

A request takes it when nothing about it is special: its address is a route's own to the letter,
its body is small and its length known, its connection stays open. All others go the way of ASGI,
and so does an answer that is not at hand as a whole (a file, a stream). Both ways give the same
bytes.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from functools import partial
from time import perf_counter
from typing import Any, Callable, Dict, List, MutableMapping, Optional, Tuple, cast

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from polyhost.errors import PolyhostError, RequestCancelled
from polyhost.host.observers import Exchange, current
from polyhost.host.request import Pending, Result
from polyhost.server.auth import Keys
from polyhost.server.call.call import JSON, Forward, Shape
from polyhost.server.http.asgi import Header, Receive, Scope, Send, head_of, own_headers
from polyhost.server.http.connection import LimitedProtocol, Wire
from polyhost.server.http.request_id import chosen_id
from polyhost.server.watch.instrument import GONE
from polyhost.server.watch.metrics import RouteMeter
from polyhost.wire.replies import BODILESS

log = logging.getLogger(__name__)

LARGEST = 64 << 10
"""Bytes of the largest body that goes this way."""
_on_body = HttpToolsProtocol.on_body
_on_message_complete = HttpToolsProtocol.on_message_complete
_head_complete = HttpToolsProtocol.on_headers_complete


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

    def board(self, protocol: FastProtocol) -> Optional[FastExchange]:
        """An exchange for the request whose head is complete; None when it has to go by ASGI."""
        headers = dict(protocol.headers)
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
        if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
            return None
    if not 200 <= status < 600 or status in BODILESS:
        return None
    return STATUS_LINE[status] + _lines(headers)


class _Nobody:
    """In the place of an event that nobody waits for."""

    def set(self) -> None:
        """Nothing."""


class FastExchange(Exchange):
    """One request on the short way; uvicorn sees it as its cycle, the dispatcher as its waiter."""

    __slots__ = (
        "began",
        "body",
        "content_type",
        "disconnected",
        "keep_alive",
        "meta",
        "more_body",
        "pending",
        "raw_id",
        "response_complete",
        "response_started",
        "scope",
        "_done",
        "_ended",
        "_held",
        "_protocol",
        "_route",
    )
    message_event = _Nobody()

    def __init__(
        self,
        protocol: FastProtocol,
        route: FastRoute,
        meta: bytes,
        content_type: str,
        id: bytes,
    ) -> None:
        Exchange.__init__(self, id.decode("ascii"), route.forward.name)
        self.began = perf_counter()
        self.raw_id = id
        self.scope = protocol.scope
        self.meta = meta
        self.content_type = content_type
        self.body = b""
        self.more_body = True
        self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False
        self.pending: Optional[Pending] = None
        self._protocol = protocol
        self._route = route
        self._done = self._ended = False
        self._held = 0

    def start(self) -> None:
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
        self.disconnected = True
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
        whole = result.stream is None and result.fd is None and not protocol.flow.write_paused
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
        if self.disconnected or protocol.transport.is_closing():
            self._end(0)
            return
        if not self.keep_alive:
            data = data.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
        protocol.transport.write(data)
        self.response_complete = True
        self._end(status)
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

    def _end(self, status: int) -> None:
        """Count the request, and give back what it held; once."""
        protocol, meter = self._protocol, self._route.meter
        if self._ended:
            return
        self._ended = True
        self.pending = None  # it holds us: what is over needs no garbage collector
        if protocol.exchange is self:
            protocol.exchange = None
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

        protocol.go_on(self, answer)


class FastProtocol(LimitedProtocol):
    """A connection whose requests may take the short way, if they show a key that opens it."""

    def __init__(
        self, wire: Wire, fast: Dict[bytes, FastRoute], keys: Keys, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(wire, *args, **kwargs)
        self._fast = fast
        self._keys = keys
        self.exchange: Optional[FastExchange] = None
        """The one that is under way on the short way."""

    def head_complete(self) -> None:
        """Take the request the short way, if it may."""
        route = self._fast.get(self.url)
        if (
            route is not None
            and self._may_be_fast()
            and self._keys.open(route.forward.name, self.headers)
        ):
            exchange = route.board(self)
            if exchange is not None:
                self.exchange = exchange
                self.cycle = cast(Any, exchange)
                return
        _head_complete(self)

    def _may_be_fast(self) -> bool:
        parser, cycle = self.parser, self._now()[0]
        return (
            (cycle is None or cycle.response_complete)
            and not self.expect_100_continue
            and not self.flow.write_paused
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        )

    def on_body(self, body: bytes) -> None:
        exchange = self.exchange
        if exchange is not None and self._now()[0] is exchange:
            exchange.body += body
        else:
            _on_body(self, body)

    def on_message_complete(self) -> None:
        exchange = self.exchange
        if exchange is not None and self._now()[0] is exchange:
            exchange.start()
        else:
            _on_message_complete(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        if self.exchange is not None:
            self.exchange.leave()
        super().connection_lost(exc)

    def go_on(self, exchange: FastExchange, app: Any) -> None:
        """Answer an exchange's request by an ASGI app, its body having been taken."""
        exchange.scope["method"] = "POST"
        cycle = RequestResponseCycle(
            scope=exchange.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=exchange.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.more_body = False
        cycle.disconnected = exchange.disconnected
        if self._now()[0] is exchange:
            self.cycle = cycle
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
