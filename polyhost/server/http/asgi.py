"""One HTTP exchange at the level of ASGI: body in, reply out, nothing between."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any, Awaitable, Callable, Dict, List, MutableMapping, Optional, Set, Tuple

from polyhost.host.request import Pending, Result
from polyhost.host.spool import Budget
from polyhost.server.call.body_reader import Body, Intake, check_size
from polyhost.server.call.served_model import Served
from polyhost.server.http.wire import LINGER
from polyhost.wire.frames import SPOOL_THRESHOLD
from polyhost.wire.replies import BODILESS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = Tuple[bytes, bytes]

FILE_CHUNK = 256 << 10
PATIENCE = 0.1
"""Seconds after which a waiting exchange is watched for a client that goes away."""


class ClientGone(Exception):
    """The client closed its connection before its body or its answer was complete."""


def header(scope: Scope, name: bytes) -> str:
    """The first header of that lower-case name; empty when there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


async def read_body(receive: Receive, budget: Budget, limit: Optional[int] = None) -> Body:
    """The whole body: bytes when it is small, a spool when it is not.

    It is in the budget; bytes are the caller's to give back. BodyTooLarge as soon as more than
    ``limit`` bytes have come.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if message.get("more_body", False) or len(body) > SPOOL_THRESHOLD:
        return await _read_on(message, receive, Intake(budget, limit))
    if limit is not None or len(body) > budget.limit:
        check_size(len(body), limit, budget)
    budget.take(len(body))
    return body


async def _read_on(message: Message, receive: Receive, intake: Intake) -> Body:
    try:
        intake.add(message.get("body", b""))
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            intake.add(message.get("body", b""))
        return intake.body()
    except BaseException:
        intake.drop()
        raise


def check_length(scope: Scope, limit: int, budget: Budget) -> None:
    """BodyTooLarge for a body that says by itself that it is, before any of it is read."""
    length = header(scope, b"content-length")
    if length.isdecimal():
        check_size(int(length), limit, budget)


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


async def respond(
    send: Send, status: int, content_type: bytes, body: bytes, headers: List[Header]
) -> None:
    """Send a whole answer; its body is dropped where the status has none."""
    own, body = own_headers(status, content_type, body)
    start = {"type": "http.response.start", "status": status, "headers": [*own, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def own_headers(status: int, content_type: bytes, body: bytes) -> Tuple[List[Header], bytes]:
    """Content type and length of a whole answer, and its body as it may be sent."""
    if status not in BODILESS:
        length = str(len(body)).encode()
        return [(b"content-type", content_type), (b"content-length", length)], body
    return ([(b"content-length", b"0")] if status == 205 else []), b""


_metas: Dict[bytes, Tuple[int, List[Header]]] = {}


def head_of(meta: bytes) -> Tuple[int, List[Header]]:
    """Status and headers of a reply's meta; the common ones are parsed once."""
    found = _metas.get(meta)
    if found is None:
        wire = json.loads(meta)
        headers = [(b"content-type", wire["type"].encode("latin-1"))] if wire["type"] else []
        for name, value in wire.get("headers", {}).items():
            headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
        found = (int(wire["status"]), headers)
        if len(_metas) < 256:
            _metas[meta] = found
    return found


async def send_result(send: Send, result: Result, headers: List[Header]) -> None:
    """Send a worker's reply: from memory, from its file, or as it streams in."""
    status, own = head_of(result.meta)
    head = {"type": "http.response.start", "status": status}
    if status in BODILESS:
        await _send_bodiless(send, head, result, headers)
        return
    if result.stream is not None:
        await send({**head, "headers": [*own, *headers]})
        async for chunk in result.stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    if result.fd is not None:
        await _send_file(send, head, result.fd, [*own, *headers])
        return
    length = (b"content-length", str(len(result.body)).encode())
    await send({**head, "headers": [*own, length, *headers]})
    await send({"type": "http.response.body", "body": result.body})


async def _send_bodiless(send: Send, head: Message, result: Result, headers: List[Header]) -> None:
    """Send the head alone; what the worker sent beside it is dropped."""
    if result.fd is not None:
        os.close(result.fd)
    own, body = own_headers(head["status"], b"", b"")
    await send({**head, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
    if result.stream is not None:
        async for _ in result.stream:
            continue


async def _send_file(send: Send, head: Message, fd: int, headers: List[Header]) -> None:
    try:
        size = os.fstat(fd).st_size
        headers.append((b"content-length", str(size).encode()))
        await send({**head, "headers": headers})
        for offset in range(0, size, FILE_CHUNK):
            chunk = os.pread(fd, FILE_CHUNK, offset)
            more = offset + FILE_CHUNK < size
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
    finally:
        os.close(fd)


class Watcher:
    """Finds clients that went away while their request waits; costs the quick ones nothing."""

    def __init__(self) -> None:
        self._waiting: Dict[Pending, Tuple[float, Served, Receive]] = {}
        self._tasks: Set[Any] = set()

    def enter(self, pending: Pending, pool: Served, receive: Receive) -> None:
        self._waiting[pending] = (pending.accepted, pool, receive)

    def leave(self, pending: Pending) -> None:
        self._waiting.pop(pending, None)

    def sweep(self, now: float) -> None:
        """Start watching every exchange that has waited for PATIENCE seconds."""
        for pending, (since, pool, receive) in list(self._waiting.items()):
            if now - since < PATIENCE:
                break
            del self._waiting[pending]
            task = asyncio.get_running_loop().create_task(_watch(pending, pool, receive))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _watch(pending: Pending, pool: Served, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            pool.cancel(pending)
            return
