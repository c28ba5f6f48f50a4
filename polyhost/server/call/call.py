"""One request of a model, from its head to its outcome, whatever carried it.

A transport makes a Call, hands over the body as it comes, and gets one Outcome. Everything that
holds for each request is here: the key, limits and the budget of bodies, content codings, counting
and traces, the deadline's and the client's end, the second try, and errors in the dialect's form.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from time import perf_counter
from typing import Any, AsyncIterator, Coroutine, Optional, Set

from polyhost.errors import PolyhostError, RequestCancelled
from polyhost.host.observers import RequestRecord, current
from polyhost.host.request import Pending, Result
from polyhost.host.stream import ReplyStream
from polyhost.server.call.answer_coding import AT_ONCE, packed, packs
from polyhost.server.call.body_reader import Body, Intake, check_size, discard, size_of
from polyhost.server.call.content_coding import coding_of, unpacked
from polyhost.server.call.head import RequestHead
from polyhost.server.call.outcome import Outcome, outcome_of
from polyhost.server.call.route import Route
from polyhost.wire.frames import SPOOL_THRESHOLD

logger = logging.getLogger(__name__)

_aside: Set[asyncio.Task[None]] = set()
"""Bodies that are unpacked, and answers that are packed."""


class Call(RequestRecord):
    """A request on its way. A transport subclasses it and implements :meth:`deliver`.

    It is the dispatcher's waiter, so that an answer costs no task. Calls come in this order: ``open``,
    ``add`` for each piece of the body, ``finish``; then, or instead, ``deliver`` is called once, and
    the transport calls ``close`` when it has written the answer. ``leave`` may come at any time.
    """

    __slots__ = (
        "route",
        "head",
        "pending",
        "span",
        "_began",
        "_first",
        "_intake",
        "_held",
        "_delivered",
        "_ended",
        "_left",
        "_stream",
    )

    def __init__(self, route: Route, head: RequestHead) -> None:
        RequestRecord.__init__(self, head.id.decode("latin-1"), route.name)
        self.route = route
        self.head = head
        self.pending: Optional[Pending] = None
        self.span: Any = None
        self._began = perf_counter()
        self._first = b""
        self._intake: Optional[Intake] = None
        self._held = 0
        self._delivered = self._ended = self._left = False
        self._stream: Optional[ReplyStream] = None
        if route.watch is not None and route.watch.traces:
            route.watch.begin(self)

    def deliver(self, outcome: Outcome) -> None:
        """Take the outcome; called once at most, and not when the client has left."""
        raise NotImplementedError

    def abandoned(self) -> None:
        """There will be no outcome, though the client is there: the host ends."""

    # The request

    def open(self) -> bool:
        """Check the key and the announced length; False when the outcome is delivered already."""
        route, head = self.route, self.head
        try:
            if route.keys.asked_for:
                route.keys.check(route.name, head.headers)
            length = head.get(b"content-length")
            if length and length.isdigit():
                check_size(int(length), route.limit, route.budget)
        except PolyhostError as error:
            self.fail(error, ends=True)
            return False
        return True

    def add(self, piece: bytes) -> bool:
        """Take a piece of the body; False when the outcome is delivered already."""
        try:
            if self._intake is None and not self._first and len(piece) <= SPOOL_THRESHOLD:
                check_size(len(piece), self.route.limit, self.route.budget)
                self.route.budget.take(len(piece))
                self._first = piece
                self._held = len(piece)
            else:
                self._add_more(piece)
        except PolyhostError as error:
            self.fail(error, ends=True)
            return False
        return True

    def _add_more(self, piece: bytes) -> None:
        intake = self._intake
        if intake is None:
            first, self._first = self._first, b""
            self._give_back()
            intake = self._intake = Intake(self.route.budget, self.route.limit)
            if first:
                intake.add(first)
        intake.add(piece)

    def finish(self) -> None:
        """The body is complete: have it answered."""
        body = self._take_body()
        route, head = self.route, self.head
        if route.empty is not None and not (size_of(body) and self._counts()):
            self._refuse(body, route.empty)
            return
        if route.refusal is not None:
            self._refuse(body, route.refusal)
            return
        coded = head.get(b"content-encoding")
        if coded:
            try:
                coding = coding_of(coded)
            except PolyhostError as error:
                self._refuse(body, error)
                return
            if coding:
                _run_aside(self._unpack(body, coding))
                return
        self._submit(body)

    def _counts(self) -> bool:
        is_body = self.route.is_body
        return is_body is None or is_body(self.head.content_type)

    def _take_body(self) -> Body:
        """The body, whose bytes in memory this call owes to the budget until it is closed."""
        intake, self._intake = self._intake, None
        if intake is None:
            first, self._first = self._first, b""
            return first
        return self._own(intake.body())

    def _own(self, body: Body) -> Body:
        self._held = len(body) if isinstance(body, bytes) else 0
        return body

    def _refuse(self, body: Body, error: PolyhostError) -> None:
        if not isinstance(body, bytes):
            discard(body, self.route.budget)
        self.fail(error)

    async def _unpack(self, body: Body, coding: str) -> None:
        current.set(self)
        route = self.route
        self._held = 0  # ``unpacked`` gives it back
        intake = Intake(route.budget, route.limit)
        try:
            found = await unpacked(body, coding, intake, route.budget)
        except PolyhostError as error:
            self.fail(error)
            return
        if self._left:
            discard(found, route.budget)
        elif route.empty is not None and not size_of(found):
            self._refuse(self._own(found), route.empty)
        else:
            self._submit(self._own(found))

    def _submit(self, body: Body) -> None:
        route = self.route
        try:
            self.pending = route.model.submit(route.meta(self.head), body, route.retry, self)
        except PolyhostError as error:
            self._refuse(body, error)

    def leave(self) -> None:
        """The client has gone."""
        self._left = True
        pending = self.pending
        if pending is not None and (not self._delivered or self._stream is not None):
            self.route.model.cancel(pending)
        self.close(0)

    # The answer

    def done(self) -> bool:
        """It has its outcome, or needs none."""
        return self._delivered or self._left

    def cancel(self) -> bool:
        """It needs no outcome any more."""
        self._left = True
        return True

    def set_result(self, result: Result) -> None:
        """The worker's answer."""
        route, pending = self.route, self.pending
        if route.timings is not None and pending is not None:
            route.timings.add(pending.accepted)
        self._stream = result.stream
        chunks = self._chunks(result.stream) if result.stream is not None else None
        outcome = outcome_of(result, chunks)
        coding = packs(outcome, self.head.get(b"accept-encoding"))
        if not coding:
            self._deliver(outcome)
        elif len(outcome.body) <= AT_ONCE:
            self._deliver(packed(outcome, coding))
        else:
            _run_aside(self._pack(outcome, coding))

    async def _pack(self, outcome: Outcome, coding: str) -> None:
        self._deliver(await asyncio.to_thread(packed, outcome, coding))

    def set_exception(self, error: PolyhostError) -> None:
        """There is none."""
        self.fail(error)

    def fail(self, error: PolyhostError, *, ends: bool = False) -> None:
        """Deliver the outcome of an error. ``ends``: the body was not read to its end."""
        if isinstance(error, RequestCancelled):
            self._left = True
            self.close(0)
            self.abandoned()
            return
        context = copy_context()  # what is logged here is about this request
        context.run(current.set, self)
        content_type = self.head.content_type
        self._deliver(context.run(self.route.failed, error, content_type, ends=ends))

    def _deliver(self, outcome: Outcome) -> None:
        if self._left or self._delivered:
            outcome.drop()
            return
        self._delivered = True
        self.deliver(outcome)

    async def _chunks(self, stream: ReplyStream) -> AsyncIterator[bytes]:
        """The chunks of a stream, and its tail where an error breaks it off."""
        try:
            async for chunk in stream:
                yield chunk
        except RequestCancelled:
            return
        except PolyhostError as error:
            logger.warning("model %s: a streamed answer broke off: %s", self.route.name, error)
            if self.route.tail is None:
                raise
            yield self.route.tail(error)

    def close(self, status: int) -> None:
        """Count the request, and give back what it held; once. Status 0: the client left."""
        if self._ended:
            return
        self._ended = True
        self.status = status
        self.pending = None  # it refers to this call: without it no garbage collector is needed
        if self._intake is not None:
            self._intake.drop()
            self._intake = None
        self._give_back()
        if self.route.watch is not None:
            self.route.watch.end(self, status, perf_counter() - self._began)

    def _give_back(self) -> None:
        if self._held:
            self.route.budget.give_back(self._held)
            self._held = 0


def _run_aside(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _aside.add(task)
    task.add_done_callback(_aside.discard)
