"""One model's queue: who gets which request, what an answer means, and what a death does."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from typing import Dict, List, Optional, cast

from polyhost.errors import (
    InvalidOutput,
    PolyhostError,
    WorkerCrashed,
    WorkerNotReady,
    WorkerTimeout,
    from_wire,
)
from polyhost.host.balance import LONG_CALL, Balance
from polyhost.host.deadline import SERIAL_WINDOW, Deadline
from polyhost.host.observers import NOBODY, ModelObserver
from polyhost.host.quarantine import Quarantine
from polyhost.host.replica import Replica
from polyhost.host.request import Body, Pending, Result, Waiter, fail
from polyhost.host.request_queue import RequestQueue
from polyhost.host.shared_counts import SharedCount
from polyhost.host.stream import ReplyStream
from polyhost.wire.frames import Frame, FrameFlag, FrameKind
from polyhost.wire.replies import check_meta, checked_error

logger = logging.getLogger(__name__)

STRANDED, RETRY_STRANDED = 30.0, 5
"""Seconds that a request waits while there is no worker at all, and after which its client may try
again."""

TRIAL = 2
"""Tries of a request that is let in once more, alone, though it was there at two deaths."""

NAMES_KEPT = 1024


class Dispatcher:
    """A queue before a model's replicas. Lives on the event loop's thread.

    ``first_id``: ids count from here; those of two that share a worker must not meet. ``queued``:
    the number of waiting requests that all processes which serve the model keep together.
    """

    def __init__(
        self,
        name: str,
        *,
        max_queue: int,
        deadline: Optional[float],
        observer: ModelObserver = NOBODY,
        first_id: int = 1,
        queued: Optional[SharedCount] = None,
    ) -> None:
        self.name = name
        self.deadline = None if deadline is None else Deadline(name, deadline)
        self.window = SERIAL_WINDOW
        self.calls = 1
        self.replicas: List[Replica] = []
        self.queue = RequestQueue(name, max_queue, queued)
        self.balance: Optional[Balance] = None
        """Set where several replicas could share calls."""
        self._observer = observer
        self._names: Dict[int, str] = {}
        self.quarantine = Quarantine()
        self._had_worker = False
        self._none_since: Optional[float] = None
        self._ids = itertools.count(first_id)
        self._loop = asyncio.get_running_loop()

    @property
    def busy(self) -> int:
        """Requests accepted and not yet answered."""
        return len(self.queue) + sum(len(replica.inflight) for replica in self.replicas)

    def set_room(self, batch: int, calls: int) -> None:
        """Let a worker hold what it can use: ``batch`` requests share a call, ``calls`` run at once."""
        self.calls = calls
        self.window = calls if calls > 1 else SERIAL_WINDOW * batch
        if batch > 1 and calls == 1 and self.balance is None:
            self.balance = Balance()

    # Requests

    def submit(
        self, meta: bytes, body: Body, retry: bool, waiter: Optional[Waiter] = None
    ) -> Pending:
        """Accept a request; WorkerBusy when too many wait, WorkerCrashed for a known killer."""
        self.queue.check()
        alone = bool(self.quarantine) and self._judge(meta, body)
        if waiter is None:
            waiter = cast(Waiter, self._loop.create_future())
        pending = Pending(next(self._ids), meta, body, retry, waiter)
        if alone:
            pending.tries, pending.solo = TRIAL, True
        if self.queue or not self._send(pending):
            self.queue.add(pending)
        return pending

    def _judge(self, meta: bytes, body: Body) -> bool:
        """WorkerCrashed for a known killer; True for one that has to show that it is none."""
        if self.quarantine.refuses(meta, body):
            raise WorkerCrashed(
                f"this request ended the process of model {self.name!r} twice: it is refused for "
                "now. Fix the input, or the model.",
                exit_code=0,
            )
        return self.quarantine.clears(meta, body)

    def cancel(self, pending: Pending) -> bool:
        """The client has gone away: forget its request. False when it is not known here."""
        for replica in self.replicas:
            if replica.inflight.get(pending.id) is pending:
                pending.waiter.cancel()
                if pending.stream is not None:
                    pending.stream.abandon()
                replica.cancel(pending)
                return True
        if not self.queue.remove(pending):
            return False
        pending.waiter.cancel()
        pending.release()
        return True

    def _send(self, pending: Pending) -> bool:
        """Give a request to a replica that has room; False when none has."""
        best = self._choose(pending)
        if best is None:
            return False
        if pending.exchange is not None and self._observer.marks_output:
            self._remember_name(pending.id, pending.exchange.id)
        best.give(pending, time.monotonic())
        return True

    def _choose(self, pending: Pending) -> Optional[Replica]:
        """The least busy of as many replicas as share the work now; another when they are full."""
        balance = self.balance
        if balance is not None and len(self.replicas) > 1:
            balance.note(sum(len(replica.inflight) for replica in self.replicas))
            if balance.width:
                best = self._least_busy(pending, balance.width)
                if best is not None:
                    return best
        return self._least_busy(pending)

    def _least_busy(self, pending: Pending, width: int = 0) -> Optional[Replica]:
        """Of all replicas; or of the first ``width`` whose call does not last long already."""
        best: Optional[Replica] = None
        seen, least, late = 0, 0, time.monotonic() - LONG_CALL if width else 0.0
        for replica in self.replicas:
            held = len(replica.inflight)
            if not replica.active or (width and held and replica.progress < late):
                continue
            seen += 1
            if width and seen > width and best is not None:
                break
            if replica.solo or (best is not None and held >= least):
                continue
            if replica.has_room(pending, self.window):
                best, least = replica, held
                if held == 0:
                    break
        return best

    def dispatch(self) -> None:
        """Give out what waits, as far as there is room."""
        queue = self.queue
        if not queue:
            return
        while queue and self._send(queue.first):
            queue.pop()
        queue.publish()

    def _remember_name(self, id: int, name: str) -> None:
        """Keep what clients call a request: its output may come after its answer."""
        self._names[id] = name
        if len(self._names) > NAMES_KEPT:
            del self._names[next(iter(self._names))]

    def name_of(self, id: int) -> str:
        """What its client calls a request; empty when it is not known (any more)."""
        return self._names.get(id, "")

    # Replies

    def on_frames(self, replica: Replica, found: List[Frame]) -> None:
        """Frames came from a replica's data socket."""
        replica.progress = time.monotonic()
        replica.interrupted = None
        for frame in found:
            pending = replica.inflight.get(frame.id)
            if pending is None:
                _close(frame.fd)
                continue
            try:
                self._on_frame(replica, pending, frame)
            except Exception as error:
                self._on_bad_frame(replica, pending, frame, error)
        if self.queue:
            self.dispatch()

    def _on_frame(self, replica: Replica, pending: Pending, frame: Frame) -> None:
        if frame.kind == FrameKind.REPLY:
            self._on_reply(replica, pending, frame)
        elif frame.kind == FrameKind.ERROR:
            self._on_error(replica, pending, checked_error(from_wire(frame.json())))
        elif frame.kind == FrameKind.BEGIN:
            replica.begun[frame.id] = replica.progress

    def _on_bad_frame(
        self, replica: Replica, pending: Pending, frame: Frame, error: Exception
    ) -> None:
        """A frame that no answer can be made of fails its own request, and no other."""
        if not isinstance(error, PolyhostError):
            logger.exception("model %s: an answer could not be passed on", self.name)
            error = InvalidOutput(f"the worker's answer cannot be used: {error}")
        if replica.inflight.get(pending.id) is pending and not frame.flags & FrameFlag.MORE:
            self._take(replica, pending)
        fail(pending, error)

    def _on_reply(self, replica: Replica, pending: Pending, frame: Frame) -> None:
        if frame.flags & FrameFlag.MORE:
            if pending.stream is None:
                self._begin_stream(replica, pending, frame.meta)
            if pending.stream is not None:
                pending.stream.push(frame.body)
            return
        self._take(replica, pending)
        if pending.stream is not None:
            pending.stream.finish(frame.body)
        elif pending.waiter.done():
            _close(frame.fd)
        else:
            try:
                check_meta(frame.meta)
            except InvalidOutput:
                _close(frame.fd)
                raise
            pending.waiter.set_result(Result(frame.meta, frame.body, frame.fd, None))
        pending.release()

    def _begin_stream(self, replica: Replica, pending: Pending, meta: bytes) -> None:
        """The first frame of a reply in pieces."""
        stream = ReplyStream(lambda size: replica.grant(pending, size))
        try:
            check_meta(meta)
        except InvalidOutput as error:
            fail(pending, error)
            stream.abandon()
            pending.stream = stream
            replica.cancel(pending)
            return
        pending.stream = stream
        if not pending.waiter.done():
            pending.waiter.set_result(Result(meta, b"", None, stream))

    def _on_error(self, replica: Replica, pending: Pending, error: PolyhostError) -> None:
        self._take(replica, pending)
        if isinstance(error, WorkerTimeout) and self.deadline is not None:
            if error.facts.get("shared") and pending.retry and not pending.tries:
                pending.tries += 1
                pending.solo = True
                self.queue.put_back((pending,))
                return
            error = self.deadline.error()
        fail(pending, error)

    def _take(self, replica: Replica, pending: Pending) -> None:
        replica.take(pending)
        self._observer.served(
            pending.exchange, pending.sent - pending.accepted, replica.progress - pending.sent
        )

    # Faults

    def on_death(self, replica: Replica, crash: WorkerCrashed) -> None:
        """A replica has ended: every request it held gets another try, or its error.

        Where requests share calls, or run at once, any of them may be the cause; else only the first
        had begun.
        """
        self.replicas.remove(replica)
        held = list(replica.inflight.values())
        replica.inflight.clear()
        suspects = held if self.window > SERIAL_WINDOW or self.calls > 1 else held[:1]
        if replica.begins:
            suspects = [pending for pending in held if pending.id in replica.begun]
        again = [pending for pending in held if pending not in suspects]
        deadline = self.deadline if replica.timed_out else None
        late = None if deadline is None else deadline.error()
        for pending in suspects:
            if pending.id in replica.hung or (pending.waiter.done() and pending.stream is None):
                pending.release()
            elif late is not None and (len(suspects) == 1 or pending.solo):
                fail(pending, late)
            elif crash.facts.get("by_request") and (len(suspects) == 1 or pending.solo):
                self.quarantine.add(pending, certain=bool(pending.tries))
                fail(pending, crash)
            elif pending.stream is not None or not pending.retry or pending.tries:
                if pending.tries:
                    certain = pending.tries == TRIAL or not crash.facts.get("outside")
                    self.quarantine.add(pending, certain)
                fail(pending, crash)
            else:
                pending.tries += 1
                pending.solo = True
                again.append(pending)
        again.sort(key=lambda pending: pending.id)
        self.queue.put_back(again)
        self.dispatch()

    def fail_all(self, error: PolyhostError) -> None:
        """Nobody will ever answer what waits."""
        while self.queue:
            fail(self.queue.pop(), error)
        self.queue.publish()

    def sweep(self, now: float) -> None:
        """Refuse what waits in vain, and judge every busy replica by its deadline."""
        if self.balance is not None:
            self.balance.settle(sum(r.active for r in self.replicas), self.window // SERIAL_WINDOW)
        self._refuse_stranded(now)
        if self.deadline is None:
            return
        failure: Optional[Exception] = None
        for replica in tuple(self.replicas):
            try:
                self.deadline.judge(replica, now, self.calls, self.window)
            except Exception as error:  # one mistake must not keep the others from being judged
                failure = error
        if failure is not None:
            raise failure

    def _refuse_stranded(self, now: float) -> None:
        """Refuse what has waited for STRANDED seconds while no worker was there to take it.

        The first worker of a model has the time that loading has.
        """
        if any(replica.ready and not replica.retiring for replica in self.replicas):
            self._had_worker, self._none_since = True, None
            return
        if self._none_since is None:
            self._none_since = now
        queue = self.queue
        while self._had_worker and queue:
            if now - max(queue.first.accepted, self._none_since) <= STRANDED:
                break
            fail(
                queue.pop(),
                WorkerNotReady(
                    f"model {self.name!r} has had no worker for {STRANDED:g} s; another one is "
                    "being started. Try again soon.",
                    retry_after=RETRY_STRANDED,
                ),
            )
        queue.publish()


def _close(fd: Optional[int]) -> None:
    if fd is not None:
        os.close(fd)
