"""One HTTP exchange at the level of ASGI: body in, reply out, nothing between."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Awaitable, Callable, List, MutableMapping, Optional, Tuple

from polyhost.host.spool import Budget
from polyhost.server.call.body_reader import Body, Intake, check_size
from polyhost.server.http.wire import LINGER
from polyhost.wire.frames import SPOOL_THRESHOLD
from polyhost.wire.replies import BODILESS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = Tuple[bytes, bytes]


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
    await drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def drain(receive: Receive) -> None:
    """Read what a client still sends, for a while, so that it can read its answer."""
    reading = asyncio.ensure_future(_drain(receive))
    await asyncio.wait((reading,), timeout=LINGER)
    reading.cancel()


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
