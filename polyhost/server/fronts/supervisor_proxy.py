"""Passes a request on to the supervisor over its local socket, and the answer back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, List, Tuple

import httptools

from polyhost.server.http.asgi import Receive, Scope, Send

READ = 64 << 10
HOP = frozenset((b"connection", b"transfer-encoding", b"keep-alive", b"expect"))


class Relay:
    """An ASGI app that answers with what another server, at a local socket, says."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            whole = True
            with contextlib.suppress(ConnectionError):  # it may answer before it has read all
                whole = await _send_request(scope, receive, writer)
            if whole:  # else the client has left, and the supervisor waits for the rest
                await _Answer(send).take(reader)
        finally:
            writer.close()


def _head(scope: Scope) -> bytes:
    target = scope["raw_path"].split(b"?")[0]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    lines = [scope["method"].encode() + b" " + target + b" HTTP/1.1"]
    lines += [key + b": " + value for key, value in scope["headers"] if key not in HOP]
    lines.append(b"connection: close")
    if _is_chunked(scope):
        lines.append(b"transfer-encoding: chunked")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _is_chunked(scope: Scope) -> bool:
    return any(key == b"transfer-encoding" for key, _ in scope["headers"])


async def _send_request(scope: Scope, receive: Receive, writer: asyncio.StreamWriter) -> bool:
    """Send head and body; a small body leaves in one piece with the head. False when the client
    left before its end."""
    chunked, more = _is_chunked(scope), True
    head = _head(scope)
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        body, more = message.get("body", b""), message.get("more_body", False)
        if body and chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body)
        writer.write(head + body)
        await writer.drain()
        head = b""
    if chunked:
        writer.write(b"0\r\n\r\n")
    return True


class _Answer:
    """Turns the bytes of an answer into ASGI messages."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._parser = httptools.HttpResponseParser(self)
        self._headers: List[Tuple[bytes, bytes]] = []
        self._out: List[Any] = []
        self._done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() not in HOP:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        start = {"type": "http.response.start", "status": status, "headers": self._headers}
        self._out.append(start)

    def on_body(self, body: bytes) -> None:
        self._out.append({"type": "http.response.body", "body": body, "more_body": True})

    def on_message_complete(self) -> None:
        self._done = True

    async def take(self, reader: asyncio.StreamReader) -> None:
        """Read the whole answer, sending it on as it comes."""
        while not self._done:
            data = await reader.read(READ)
            if not data:
                break
            self._parser.feed_data(data)
            for message in self._out:
                await self._send(message)
            self._out.clear()
        await self._send({"type": "http.response.body", "body": b""})
