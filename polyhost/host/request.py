"""A request between its acceptance and its answer."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Optional, Protocol, Union, cast

from polyhost.errors import PolyhostError
from polyhost.host.observers import RequestRecord, current
from polyhost.host.spool import Spool
from polyhost.host.stream import ReplyStream

logger = logging.getLogger(__name__)

Body = Union[bytes, Spool]


class Result:
    """A worker's reply: the meta's JSON as it came, then a body, a file or a stream."""

    __slots__ = ("meta", "body", "fd", "stream")

    def __init__(
        self, meta: bytes, body: bytes, fd: Optional[int], stream: Optional[ReplyStream]
    ) -> None:
        self.meta = meta
        self.body = body
        self.fd = fd
        self.stream = stream


class Waiter(Protocol):
    """Who waits for an answer: a future, or what has its answer at once and on the spot.

    One that is an :class:`~polyhost.observe.RequestRecord` itself is the request's.
    """

    def done(self) -> bool: ...

    def set_result(self, result: Result, /) -> None: ...

    def set_exception(self, error: PolyhostError, /) -> None: ...

    def cancel(self) -> bool: ...


class Pending:
    """A request from its acceptance to its answer. Its waiter gets a Result or an error.

    ``retry``: it may be tried once more when its worker dies; ``tries``: how often it was.
    ``solo``: it must run alone, since it may have killed a worker.
    """

    __slots__ = (
        "id",
        "meta",
        "body",
        "waiter",
        "retry",
        "tries",
        "solo",
        "sent",
        "stream",
        "size",
        "accepted",
        "exchange",
    )

    def __init__(self, id: int, meta: bytes, body: Body, retry: bool, waiter: Waiter) -> None:
        self.id = id
        self.meta = meta
        self.body = body
        self.waiter = waiter
        self.retry = retry
        self.tries = 0
        self.solo = False
        self.accepted = self.sent = time.monotonic()
        self.exchange = waiter if isinstance(waiter, RequestRecord) else current.get()
        self.stream: Optional[ReplyStream] = None
        self.size = len(body) if isinstance(body, bytes) else 0

    @property
    def future(self) -> asyncio.Future[Result]:
        """The waiter of a request that was submitted without one."""
        return cast("asyncio.Future[Result]", self.waiter)

    def release(self) -> None:
        """Let go of the body: nobody can need it again."""
        if isinstance(self.body, Spool):
            self.body.close()


def fail(pending: Pending, error: PolyhostError) -> None:
    """Give a request its error."""
    if pending.stream is not None:
        pending.stream.fail(error)
    elif not pending.waiter.done():
        try:
            pending.waiter.set_exception(error)
        except Exception:
            logger.exception("a request's error could not be passed on")
    pending.release()
