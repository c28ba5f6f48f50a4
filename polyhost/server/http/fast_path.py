"""Calls that need no ASGI: answered where their last byte is read, without a task.

A request takes this path when nothing about it is special: its address is a route's own to the
letter, its body is small and its length known, its connection stays open. All others go by ASGI.
Both give the same bytes.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from polyhost.server.call.call import Call
from polyhost.server.call.head import Header, RequestHead
from polyhost.server.call.outcome import Outcome, OutcomeHead
from polyhost.server.call.route import Route
from polyhost.server.http.asgi import Receive, Scope, Send
from polyhost.server.http.asgi_call import length_of, send_outcome
from polyhost.server.http.asgi_turn import NAME, NO_VALUE, AsgiTurn, scope_of
from polyhost.server.http.connection import Connection
from polyhost.server.http.heads import Fault, parse_target
from polyhost.server.http.request_id import chosen_id
from polyhost.server.http.status_lines import STATUS_LINE
from polyhost.server.http.turn import Refusal, Turn
from polyhost.wire.frames import SPOOL_THRESHOLD

LARGEST = SPOOL_THRESHOLD
"""Bytes of the largest body that goes this way: one that is kept in memory anyway."""


class FastRoute:
    """A route as requests on a connection find it, with what its answers have in common."""

    def __init__(self, route: Route, path: str) -> None:
        self.route = route
        self.path = path
        self.largest = LARGEST
        self._tail = _lines(route.common(b"\0")).split(b"\0")

    def whole(self, outcome: Outcome, id: bytes, *, close: bool) -> Optional[bytes]:
        """The bytes of an answer in memory; None when it has to be sent in pieces."""
        if outcome.fd is not None or outcome.stream is not None:
            return None
        head = outcome.head
        line = head.line
        if line is None:
            line = head.line = _line_of(head)
        if not line:
            return None
        tail = id.join(self._tail)
        closing = b"connection: close\r\n" if close else b""
        if not head.has_body:
            length = length_of(outcome)
            own = b"" if length is None else b"content-length: %d\r\n" % length
            return b"%b%b%b%b\r\n" % (line, own, tail, closing)
        body = outcome.body
        return b"%bcontent-length: %d\r\n%b%b\r\n%b" % (line, len(body), tail, closing, body)


def _lines(headers: List[Header]) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)


def _line_of(head: OutcomeHead) -> bytes:
    """Status line and own headers of an answer; empty for one that needs a closer look."""
    for name, value in head.headers:
        if name in (b"connection", b"content-length", b"transfer-encoding"):
            return b""
        if not NAME.fullmatch(name) or NO_VALUE.search(value):
            return b""
    if not 200 <= head.status < 600:
        return b""
    return STATUS_LINE[head.status] + _lines(head.headers)


class FastCall(Call):
    """A call that is a turn of its connection."""

    __slots__ = (
        "keep_alive",
        "more_body",
        "answering",
        "complete",
        "_fast",
        "_connection",
    )

    def __init__(self, connection: Connection, fast: FastRoute, head: RequestHead) -> None:
        super().__init__(fast.route, head)
        self.keep_alive = self.more_body = True
        self.answering = self.complete = False
        self._fast = fast
        self._connection = connection

    def begin(self) -> None:
        """It goes this way only where no other is before it."""
        self.open()

    def end(self) -> None:
        """The body is complete."""
        self.more_body = False
        self.finish()

    def abandoned(self) -> None:
        self._connection.transport.close()

    def deliver(self, outcome: Outcome) -> None:
        connection = self._connection
        if outcome.ends:
            self.keep_alive = False
        if connection.transport.is_closing():
            outcome.drop()
            self.close(0)
            return
        try:
            data = None
            if not connection.write_paused:
                data = self._fast.whole(outcome, self.head.id, close=not self.keep_alive)
            if data is None:
                self._send_in_pieces(outcome)
            else:
                self._write(outcome.status, data)
        except Exception:
            outcome.drop()
            self.close(0)
            connection.transport.abort()  # its client cannot be answered, and must not wait
            raise

    def _write(self, status: int, data: bytes) -> None:
        connection = self._connection
        connection.transport.write(data)
        self.answering = self.complete = True
        self.close(status)
        connection.answered(self)

    def _send_in_pieces(self, outcome: Outcome) -> None:
        """Send a file, a stream, or what the client is not ready to read, as by ASGI."""
        connection, head = self._connection, self.head
        target = parse_target(b"POST", head.path.encode("latin-1"))
        assert target is not None
        turn = _Pieces(connection, self, outcome, scope_of(connection, b"POST", "1.1", target))
        turn.keep_alive, turn.more_body = self.keep_alive, self.more_body
        if connection.last is self:
            connection.last = turn
        if connection.turn is self:
            connection.turn = turn
        self.answering = True
        turn.begin()


class _Pieces(AsgiTurn):
    """The turn of a call whose answer takes a while to send."""

    def __init__(
        self, connection: Connection, call: FastCall, outcome: Outcome, scope: Scope
    ) -> None:
        self._call = call
        self._outcome = outcome
        super().__init__(connection, self._send_all, scope, True, False)

    async def _send_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        call, outcome = self._call, self._outcome
        try:
            await send_outcome(outcome, call, receive, send)
            call.close(outcome.status)
        except Exception:
            call.close(outcome.status)
            raise
        finally:
            call.close(0)

    def leave(self) -> None:
        super().leave()
        self._call.leave()


class Turns:
    """Makes the turn of each request: the fast path for those that may take it, else ASGI."""

    def __init__(self, app: Any, fast: Dict[bytes, FastRoute]) -> None:
        self._app = app
        self._fast = fast

    def __call__(self, connection: Connection, names: Dict[bytes, bytes]) -> Turn:
        """The turn of the request whose head has come."""
        url = connection.url
        fast = self._fast.get(url)
        if fast is not None and _may_be_fast(connection, names, fast):
            headers = connection.headers
            head = RequestHead("POST", fast.path, b"", headers, chosen_id(headers), names)
            return FastCall(connection, fast, head)
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


def _may_be_fast(connection: Connection, names: Dict[bytes, bytes], fast: FastRoute) -> bool:
    """Whether nothing about a request, or its connection, asks for ASGI."""
    parser = connection.parser
    length = names.get(b"content-length", b"")
    return (
        connection.turn is None
        and len(names) == len(connection.headers)
        and length.isdigit()
        and 0 < int(length) <= fast.largest
        and not connection.write_paused
        and b"expect" not in names
        and fast.route.echoed.isdisjoint(names)
        and parser.get_method() == b"POST"
        and parser.get_http_version() == "1.1"
        and bool(parser.should_keep_alive())
    )
