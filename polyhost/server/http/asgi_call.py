"""Calls that come by ASGI: a thin adapter between its messages and :class:`Call`."""

from __future__ import annotations

import asyncio
import os
from typing import List, Optional

from polyhost.host.observers import current
from polyhost.server.call.call import Call
from polyhost.server.call.head import Header, RequestHead
from polyhost.server.call.outcome import FILE_CHUNK, Outcome
from polyhost.server.call.route import Route
from polyhost.server.http.asgi import Receive, Scope, Send, drain
from polyhost.server.http.request_id import request_id

PATIENCE = 0.1
"""Seconds after which a waiting request is watched for a client that goes away."""


class AsgiCall(Call):
    """A call whose outcome a task waits for."""

    __slots__ = ("outcome", "news")

    def __init__(self, route: Route, head: RequestHead) -> None:
        super().__init__(route, head)
        self.outcome: Optional[Outcome] = None
        self.news: Optional[asyncio.Future[None]] = None

    def deliver(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._wake()

    def close(self, status: int) -> None:
        super().close(status)
        self._wake()

    def _wake(self) -> None:
        if self.news is not None and not self.news.done():
            self.news.set_result(None)

    async def wait(self) -> Optional[Outcome]:
        """The outcome; None when the client has left."""
        if self.outcome is None and not self.done():
            self.news = asyncio.get_running_loop().create_future()
            await self.news
        return self.outcome


def head_of(scope: Scope) -> RequestHead:
    """The head of a request as its scope has it."""
    return RequestHead(
        scope["method"],
        scope["path"],
        scope["query_string"],
        list(scope["headers"]),
        request_id(scope),
    )


async def answer(route: Route, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of a route."""
    call = AsgiCall(route, head_of(scope))
    current.set(call)
    watch = _Watch(call, receive)
    try:
        if call.open() and not await _read(call, receive):
            return
        if call.outcome is None:
            watch.soon()
        outcome = await call.wait()
        if outcome is not None:
            if outcome.stream is not None:
                watch.soon()
            await send_outcome(outcome, call, receive, send)
            call.close(outcome.status)
    except asyncio.CancelledError:
        call.leave()
        raise
    except Exception:
        call.close(500)
        raise
    finally:
        watch.stop()
        call.close(0)


async def _read(call: AsgiCall, receive: Receive) -> bool:
    """Take the body; False when its client left meanwhile."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            call.leave()
            return False
        body, more = message.get("body", b""), message.get("more_body", False)
        if body and not call.add(body):
            return True
    call.finish()
    return True


async def send_outcome(outcome: Outcome, call: Call, receive: Receive, send: Send) -> None:
    """Send the outcome of a call."""
    headers = headers_of(outcome, call.route.headers_of(call.head))
    await send({"type": "http.response.start", "status": outcome.status, "headers": headers})
    if outcome.ends:
        await send({"type": "http.response.body", "body": outcome.body, "more_body": True})
        await drain(receive)
        await send({"type": "http.response.body", "body": b""})
    elif outcome.fd is not None:
        await _send_file(outcome, send)
    elif outcome.stream is not None:
        await _send_stream(outcome, send)
    else:
        await send({"type": "http.response.body", "body": outcome.body})


def headers_of(outcome: Outcome, common: List[Header]) -> List[Header]:
    """All headers of an answer that depend on the request and its outcome."""
    headers = list(outcome.head.headers)
    length = length_of(outcome)
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    headers += common
    if outcome.ends:
        headers.append((b"connection", b"close"))
    return headers


def length_of(outcome: Outcome) -> Optional[int]:
    """The length that an answer announces; None for streams and where no length belongs."""
    if not outcome.head.has_body:
        return 0 if outcome.status == 205 else None
    if outcome.stream is not None:
        return None
    return len(outcome.body) if outcome.fd is None else os.fstat(outcome.fd).st_size


async def _send_file(outcome: Outcome, send: Send) -> None:
    fd = outcome.fd
    assert fd is not None
    try:
        size = os.fstat(fd).st_size
        if not size:
            await send({"type": "http.response.body", "body": b""})
        for offset in range(0, size, FILE_CHUNK):
            chunk = os.pread(fd, FILE_CHUNK, offset)
            more = offset + FILE_CHUNK < size
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
    finally:
        outcome.drop()


async def _send_stream(outcome: Outcome, send: Send) -> None:
    assert outcome.stream is not None
    async for chunk in outcome.stream:
        if outcome.head.has_body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class _Watch:
    """Ends a call whose client goes away while it waits; costs the quick ones a timer."""

    def __init__(self, call: Call, receive: Receive) -> None:
        self._call = call
        self._receive = receive
        self._timer: Optional[asyncio.TimerHandle] = None
        self._task: Optional[asyncio.Task[None]] = None

    def soon(self) -> None:
        """Begin when it has waited for a while."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(PATIENCE, self._start)

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._call.leave()

    def stop(self) -> None:
        """The call is over."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
