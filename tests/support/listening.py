"""Our HTTP server in this process, before any ASGI application; and raw bytes sent to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvloop

from polyhost.server.credentials import Access
from polyhost.server.http.listen import listen
from polyhost.settings import ServerSettings

TIMEOUT = 20.0


@dataclass
class Listening:
    """A server that runs in a thread of its own."""

    port: int
    settings: ServerSettings
    loop: asyncio.AbstractEventLoop

    @contextlib.contextmanager
    def connect(self) -> Iterator[socket.socket]:
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.port))) as sock:
            sock.settimeout(TIMEOUT)
            yield sock

    def exchange(self, data: bytes) -> bytes:
        """Send some bytes and our end; all that comes back until the server ends, too."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)


@contextlib.contextmanager
def listening(
    make_app: Callable[[], Any], settings: ServerSettings | None = None
) -> Iterator[Listening]:
    """Serve an application, made on the server's own loop, at a port that the system chose."""
    settings = settings or ServerSettings(grace=5.0)
    sock = socket.create_server(("127.0.0.1", 0))
    loop = uvloop.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        await listen(make_app(), settings, Access(settings), sock, stop)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        yield Listening(sock.getsockname()[1], settings, loop)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT)
        assert not thread.is_alive(), "the server did not stop"
        loop.close()


def read_all(sock: socket.socket) -> bytes:
    """What comes until the other side ends, or cuts, the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(1 << 16):
            data += piece
    return data


@dataclass
class Answer:
    """One answer of a connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answers_in(data: bytes) -> list[Answer]:
    """The answers that these bytes are, final and informational; AssertionError for a rest."""
    found: list[Answer] = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, f"no complete head in {head!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", first)
        assert match, f"not a status line: {first!r}"
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        status = int(match[1])
        if headers.get("transfer-encoding") == "chunked":
            body, data = _chunked(data)
        else:
            length = int(headers.get("content-length", "0"))
            body, data = data[:length], data[length:]
            assert len(body) == length, f"a body of {len(body)} bytes where {length} were announced"
        found.append(Answer(status, headers, body))
    return found


def _chunked(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        piece, data = data[:length], data[length + 2 :]
        if not length:
            return body, data
        body += piece
