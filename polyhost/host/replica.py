"""One worker as its model's dispatcher sees it: what it holds, and whether it may have more."""

from __future__ import annotations

from typing import Dict, Optional, Protocol, Set

from polyhost.host.request import Pending
from polyhost.host.spool import Spool
from polyhost.wire import frames
from polyhost.wire.frames import FrameFlag, FrameKind

WINDOW_BYTES = 4 << 20
"""Bytes of bodies in frames that a worker may hold at once."""


class Link(Protocol):
    """The way to a worker: its process's handle in the supervisor."""

    descriptors: bool

    def send(self, data: bytes, fd: Optional[int] = None) -> None:
        """Queue a frame for the worker."""
        ...

    def interrupt(self, id: int) -> None:
        """Ask the guest to stop what it does."""
        ...

    def end_hung(self) -> None:
        """Kill it, after it dumped its stacks."""
        ...


class Replica:
    """A worker with what it holds.

    ``begins``: it says when a request begins (``begun`` holds those, and when), since other fronts
    have theirs run there too. ``ready``: it is loaded; ``spare``: it is kept for when another dies; ``retiring``: it
    finishes what it has. ``interrupted``: since when it has been asked to stop a late request.
    Where it runs several at once, ``late`` holds those that it was asked to stop, and when;
    ``hung`` those that it did not, and whose callers have their error.
    """

    def __init__(self) -> None:
        self.link: Optional[Link] = None
        self.ready = False
        self.spare = False
        self.retiring = False
        self.inflight: Dict[int, Pending] = {}
        self.bytes = 0
        self.solo = False
        self.progress = 0.0
        self.interrupted: Optional[float] = None
        self.timed_out = False
        self.begins = False
        self.begun: Dict[int, float] = {}
        self.late: Dict[int, float] = {}
        self.hung: Set[int] = set()

    @property
    def active(self) -> bool:
        """It may be given requests."""
        return (
            self.ready
            and not self.spare
            and not self.retiring
            and not self.timed_out
            and self.interrupted is None
        )

    def has_room(self, pending: Pending, window: int) -> bool:
        """Whether a request may join those that it holds."""
        held = len(self.inflight)
        return held == 0 or (
            held < window and not pending.solo and self.bytes + pending.size <= WINDOW_BYTES
        )

    def give(self, pending: Pending, now: float) -> None:
        """Send it a request."""
        pending.sent = now
        if not self.inflight:
            self.progress = now
        self.inflight[pending.id] = pending
        self.bytes += pending.size
        self.solo = pending.solo
        link = self.link
        assert link is not None
        flags = FrameFlag.SOLO if pending.solo else 0
        body = pending.body
        if isinstance(body, bytes) and pending.size <= frames.SPOOL_THRESHOLD:
            link.send(frames.encode(FrameKind.REQUEST, pending.id, pending.meta, body, flags))
        elif isinstance(body, Spool) and link.descriptors:
            data = frames.encode(
                FrameKind.REQUEST, pending.id, pending.meta, flags=flags | FrameFlag.FD
            )
            link.send(data, body.fd)
        else:
            _send_chunks(link, pending, flags)

    def take(self, pending: Pending) -> None:
        """Its answer has come: it holds this request no more."""
        del self.inflight[pending.id]
        self.begun.pop(pending.id, None)
        self.bytes -= pending.size
        self.solo = False

    def cancel(self, pending: Pending) -> None:
        """Cancel this request: nobody waits for it."""
        if self.link is not None:
            self.link.send(frames.encode(FrameKind.CANCEL, pending.id))

    def grant(self, pending: Pending, size: int) -> None:
        """Let it send more bytes of a streamed reply."""
        if self.link is not None and pending.id in self.inflight:
            self.link.send(frames.credit(pending.id, size))


def _send_chunks(link: Link, pending: Pending, flags: int) -> None:
    body = pending.body if isinstance(pending.body, bytes) else pending.body.read()
    step = frames.SPOOL_THRESHOLD
    meta = pending.meta
    for start in range(0, len(body) or 1, step):
        more = FrameFlag.MORE if start + step < len(body) else 0
        chunk = body[start : start + step]
        link.send(frames.encode(FrameKind.REQUEST, pending.id, meta, chunk, flags | more))
        meta = b""
