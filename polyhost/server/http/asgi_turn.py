"""A request that an ASGI application answers."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, List, Optional

from polyhost.server.http.asgi import Message, Scope
from polyhost.server.http.connection import HIGH_WATER, Connection
from polyhost.server.http.heads import Header, Target
from polyhost.server.http.status_lines import STATUS_LINE
from polyhost.wire.replies import BODILESS

logger = logging.getLogger(__name__)

NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NO_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def scope_of(
    connection: Connection, method: bytes, version: str, target: Target, root: str = ""
) -> Scope:
    """What an ASGI application gets to know of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": version,
        "server": connection.server,
        "client": connection.client,
        "scheme": connection.wire.scheme,
        "root_path": root,
        "method": method.decode("ascii"),
        "path": target.path,
        "raw_path": target.raw_path,
        "query_string": target.query,
        "headers": connection.headers,
    }


class AsgiTurn:
    """One request: what the application receives, and what it sends."""

    def __init__(
        self, connection: Connection, app: Any, scope: Scope, keep_alive: bool, expects: bool
    ) -> None:
        self.keep_alive = keep_alive
        self.more_body = True
        self.answering = self.complete = False
        self._connection = connection
        self._app = app
        self._scope = scope
        self._expects = expects
        self._body = bytearray()
        self._news = asyncio.Event()
        self._gone = False
        self._chunked = False
        self._bodiless = False
        self._left: Optional[int] = None
        """Bytes that the answer's body still needs."""

    # What comes

    def begin(self) -> None:
        """Run the application."""
        self._connection.wire.run(self._run())

    def add(self, data: bytes) -> None:
        """Keep a piece of the body until it is taken."""
        self._body += data
        if len(self._body) > HIGH_WATER:
            self._connection.pause_reading()
        self._news.set()

    def end(self) -> None:
        """The body is complete."""
        self.more_body = False
        self._news.set()

    def leave(self) -> None:
        """Report it to the application, the next time that it asks, and drop what it sends."""
        self._gone = True
        self._news.set()

    async def receive(self) -> Message:
        """The next piece of the body, or that there is no client any more."""
        connection = self._connection
        if self._expects and not self._gone:
            self._expects = False
            if not self.answering:
                connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._gone and not self.complete:
            connection.resume_reading()
            await self._news.wait()
            self._news.clear()
        if self._gone or self.complete:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    # What goes

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self.receive, self.send)
        except Exception as error:
            logger.error("the application failed", exc_info=error)
        if self.complete or self._gone:
            return
        if self.answering:
            self._connection.transport.abort()  # its client has to see that this is not all
        else:
            self._connection.refuse(500, "the server failed to answer this request")
            self.complete = True

    async def send(self, found: Message) -> None:
        """Write the head of the answer, or a piece of its body."""
        connection = self._connection
        if connection.write_paused and not self._gone:
            await connection.drain()
        if self._gone:
            return
        if found["type"] == "http.response.start" and not self.answering:
            self._write_head(found["status"], list(found.get("headers", ())))
        elif found["type"] == "http.response.body" and self.answering and not self.complete:
            self._write_body(found.get("body", b""), found.get("more_body", False))
        else:
            raise RuntimeError(f"an application sent {found['type']!r} where it cannot be")

    def _write_head(self, status: int, headers: List[Header]) -> None:
        if not 200 <= status < 600:
            raise RuntimeError(f"an application answered with status {status}")
        head = Answer(status, headers, self._scope["http_version"])
        self._bodiless = self._scope["method"] == "HEAD" or status in BODILESS
        self._left, self._chunked = head.length, head.chunked and not self._bodiless
        if head.closes:
            self.keep_alive = False
        self.answering = True
        self._expects = False
        lines = head.lines(with_coding=self._chunked)
        if not self.keep_alive and not head.says_close:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self._connection.transport.write(b"".join(lines))

    def _write_body(self, body: bytes, more: bool) -> None:
        transport = self._connection.transport
        if self._bodiless:
            self._left = None
        elif self._chunked:
            pieces = [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            if not more:
                pieces.append(b"0\r\n\r\n")
            transport.write(b"".join(pieces))
        else:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0 or (self._left and not more):
                    raise RuntimeError("an answer's body is not as long as its head says")
            if body:
                transport.write(body)
        if not more:
            self.complete = True
            self._news.set()
            self._connection.answered(self)


class Answer:
    """The head of an answer, checked. ``length``: of its body, None while that is not known."""

    def __init__(self, status: int, headers: List[Header], version: str) -> None:
        self.length: Optional[int] = None
        self.says_close = False
        self._status = status
        self._fields: List[bytes] = []
        for name, value in headers:
            if not NAME.fullmatch(name) or NO_VALUE.search(value):
                raise RuntimeError(f"an application answered with header {name!r}: {value!r}")
            name = name.lower()
            if name == b"connection":
                self.says_close = self.says_close or b"close" in value.lower()
            if name == b"content-length" and status not in BODILESS:
                self.length = int(value)
            elif name in (b"transfer-encoding", b"content-length"):
                continue
            self._fields += (name, b": ", value, b"\r\n")
        if status == 205:
            self._fields.append(b"content-length: 0\r\n")
        self.chunked = self.length is None and version == "1.1" and status not in BODILESS
        ends_by_closing = self.length is None and version != "1.1" and status not in BODILESS
        self.closes = self.says_close or ends_by_closing

    def lines(self, *, with_coding: bool) -> List[bytes]:
        """The status line and the headers, without their end."""
        coding = [b"transfer-encoding: chunked\r\n"] if with_coding else []
        return [STATUS_LINE[self._status], *self._fields, *coding]
