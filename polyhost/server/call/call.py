"""Takes requests of one model to its pool, and the answers back."""

from __future__ import annotations

import asyncio
import logging
from typing import Callable, List, Optional, Tuple

from polyhost.errors import PolyhostError, RequestCancelled, WorkerError, WorkerNotReady
from polyhost.host.request import Pending, Result
from polyhost.host.spool import Budget, Spool
from polyhost.server.call.body_reader import Body, discard
from polyhost.server.call.served_model import Served
from polyhost.server.http.asgi import (
    ClientGone,
    Header,
    Receive,
    Scope,
    Send,
    Watcher,
    check_length,
    read_body,
    refuse,
    respond,
    send_result,
)
from polyhost.server.watch.stats import Timings

log = logging.getLogger(__name__)

JSON = b"application/json"
Shape = Callable[[PolyhostError], Tuple[int, bytes, List[Header]]]
"""Status, body and headers of an error, as the client of a route reads it."""
Tail = Callable[[PolyhostError], bytes]
"""What ends a stream that an error broke off, where its format can tell of one."""


class Forward:
    """Body in, reply out; called once a request. ``timings`` is told how long each took.

    ``stacktraces``: the log shows where a model's code failed, in its own language's words.
    """

    def __init__(
        self,
        pool: Served,
        budget: Budget,
        watcher: Watcher,
        timings: Optional[Timings] = None,
        stacktraces: bool = False,
    ) -> None:
        self.pool = pool
        self.name = pool.name
        self.budget = budget
        self._watcher = watcher
        self._timings = timings
        self._stacktraces = stacktraces
        self._max_body = pool.model.limits.max_body
        self.largest = budget.limit if self._max_body is None else self._max_body
        """Bytes of the largest body that it takes."""

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        meta: bytes,
        headers: List[Header],
        shape: Shape,
        *,
        retry: bool = False,
        without_body: Optional[Tuple[int, bytes]] = None,
        has_body: bool = True,
        tail: Optional[Tail] = None,
    ) -> None:
        """Answer one request. ``without_body``: what is told to one that brings nothing."""
        held = 0
        read = False
        try:
            body = await self._read(scope, receive)
            read = True
            if without_body is not None and not (has_body and _size(body)):
                discard(body, self.budget)
                await respond(send, without_body[0], JSON, without_body[1], headers)
                return
            try:
                pending = self.pool.submit(meta, body, retry)
            except PolyhostError:
                discard(body, self.budget)
                raise
            held = pending.size
            self._watcher.enter(pending, self.pool, receive)
            try:
                result = await pending.future
                self.answered(pending)
                await self._send(send, result, headers, tail)
            except asyncio.CancelledError:
                if not pending.future.cancelled():
                    raise
            except RequestCancelled:
                return
            finally:
                self._watcher.leave(pending)
        except ClientGone:
            return
        except PolyhostError as error:
            status, data, extra = self.shaped(error, shape)
            if read:
                await respond(send, status, JSON, data, [*headers, *extra])
            else:
                await refuse(receive, send, status, data, [*headers, *extra])
        finally:
            if held:
                self.budget.give_back(held)

    def answered(self, pending: Pending) -> None:
        """A worker's answer to a request is there."""
        if self._timings is not None:
            self._timings.add(pending.accepted)

    def shaped(self, error: PolyhostError, shape: Shape) -> Tuple[int, bytes, List[Header]]:
        """What a client is told of an error, once the log knows of it."""
        if isinstance(error, WorkerError):
            # A model that is not ready has said so, and why, when it stopped being ready.
            level = logging.DEBUG if isinstance(error, WorkerNotReady) else logging.WARNING
            log.log(level, "model %s: %s", self.name, error)
        elif self._stacktraces and error.facts.get("native_traceback"):
            trace = str(error.facts["native_traceback"]).rstrip()
            log.error("model %s: %s\n%s", self.name, error, trace)
        return shape(error)

    async def rest(
        self,
        pending: Pending,
        result: Result,
        receive: Receive,
        send: Send,
        headers: List[Header],
        shape: Shape,
    ) -> None:
        """Send an answer whose request came the short way and which is in a file, or streams."""
        self._watcher.enter(pending, self.pool, receive)
        try:
            await self._send(send, result, headers, None)
        except RequestCancelled:
            return
        except PolyhostError as error:
            status, data, extra = self.shaped(error, shape)
            await respond(send, status, JSON, data, [*headers, *extra])
        finally:
            self._watcher.leave(pending)

    async def _send(
        self, send: Send, result: Result, headers: List[Header], tail: Optional[Tail]
    ) -> None:
        try:
            await send_result(send, result, headers)
        except RequestCancelled:
            raise
        except PolyhostError as error:
            if result.stream is None or tail is None:
                raise
            log.warning("model %s: a streamed answer broke off: %s", self.name, error)
            await send({"type": "http.response.body", "body": tail(error)})

    async def skip(self, scope: Scope, receive: Receive) -> None:
        """Read a body that nobody wants, so that its client can read an answer."""
        discard(await self._read(scope, receive), self.budget)

    async def _read(self, scope: Scope, receive: Receive) -> Body:
        """The body of a request, if it is not larger than the model takes."""
        if self._max_body is not None:
            check_length(scope, self._max_body, self.budget)
        return await read_body(receive, self.budget, self._max_body)


def _size(body: Body) -> int:
    return body.size if isinstance(body, Spool) else len(body)
