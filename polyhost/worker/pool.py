"""One model's workers: the queue, the window, retries, deadlines, replacement."""

from __future__ import annotations

import asyncio
import enum
import itertools
import logging
import os
import shutil
import tempfile
import time
from collections import deque
from typing import Callable, Deque, Dict, List, Optional, Union

from polyhost.errors import (
    PolyhostError,
    WorkerBusy,
    WorkerCrashed,
    WorkerNotReady,
    WorkerStartTimeout,
    WorkerTimeout,
    from_wire,
)
from polyhost.observe import NOBODY, ModelObserver, current
from polyhost.predictor import ModelInfo
from polyhost.settings import HostedModel
from polyhost.worker import frames
from polyhost.worker.environment import worker_environment
from polyhost.worker.frames import Flag, Frame, Kind
from polyhost.worker.nursery import Nursery, bridge_environment
from polyhost.worker.process import Sockets, WorkerProcess
from polyhost.worker.spool import Spool
from polyhost.worker.stream import ReplyStream

log = logging.getLogger(__name__)

Body = Union[bytes, Spool]

WINDOW = 128
"""Requests a batching worker may hold: one batch that runs and one that waits."""

SERIAL_WINDOW = 2
WINDOW_BYTES = 4 << 20
INTERRUPT_GRACE = 1.0
NAMES_KEPT = 1024
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0


class State(str, enum.Enum):
    """Where a model is in its life."""

    LOADING = "loading"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPED = "stopped"


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


class Pending:
    """A request from its acceptance to its answer. ``future`` gets a Result or an error."""

    __slots__ = (
        "id",
        "meta",
        "body",
        "future",
        "retry",
        "tries",
        "solo",
        "sent",
        "stream",
        "size",
        "accepted",
        "exchange",
    )

    def __init__(
        self, id: int, meta: bytes, body: Body, retry: bool, future: asyncio.Future[Result]
    ) -> None:
        self.id = id
        self.meta = meta
        self.body = body
        self.future = future
        self.retry = retry
        self.tries = 0
        self.solo = False
        self.accepted = self.sent = time.monotonic()
        self.exchange = current.get()
        self.stream: Optional[ReplyStream] = None
        self.size = len(body) if isinstance(body, bytes) else 0


class Replica:
    """A worker with what it holds."""

    def __init__(self) -> None:
        self.worker: Optional[WorkerProcess] = None
        self.ready = False
        self.stopping = False
        self.inflight: Dict[int, Pending] = {}
        self.bytes = 0
        self.solo = False
        self.progress = 0.0
        self.interrupted: Optional[float] = None
        self.timed_out = False


class Pool:
    """A model's replicas behind one queue. Lives on the event loop's thread."""

    def __init__(
        self,
        model: HostedModel,
        nursery: Nursery,
        on_output: Callable[[str, str, bytes, int, str], None],
        *,
        max_queue: int = 10_000,
        observer: ModelObserver = NOBODY,
    ) -> None:
        self.model = model
        self.name = model.name
        self.state = State.LOADING
        self.reason: Optional[PolyhostError] = None
        self.info: Optional[ModelInfo] = None
        self.restarts = 0
        self._nursery = nursery
        self._on_output = on_output
        self._observer = observer
        self._names: Dict[int, str] = {}
        self._max_queue = max_queue
        self._queue: Deque[Pending] = deque()
        self._replicas: List[Replica] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._window = SERIAL_WINDOW

    # Life

    async def start(self) -> None:
        """Start every replica; returns when all are ready or one has failed for good."""
        starts = [self._begin() for _ in range(self.model.workers)]
        await asyncio.gather(*starts)

    async def stop(self, grace: float) -> None:
        """Answer what was accepted, within ``grace`` seconds; then end every worker."""
        limit = time.monotonic() + grace
        while self.busy and self.state is not State.FAILED and time.monotonic() < limit:
            await asyncio.sleep(0.02)
        self.state = State.STOPPED
        for task in tuple(self._tasks):
            task.cancel()
        self._fail_queue(WorkerNotReady(f"model {self.name!r} was stopped"))
        stops = []
        for replica in self._replicas:
            replica.stopping = True
            if replica.worker is not None:
                stops.append(replica.worker.stop(max(0.5, limit - time.monotonic())))
        await asyncio.gather(*stops)

    @property
    def busy(self) -> int:
        """Requests accepted and not yet answered."""
        return len(self._queue) + sum(len(replica.inflight) for replica in self._replicas)

    @property
    def queued(self) -> int:
        """Requests that no worker has yet."""
        return len(self._queue)

    @property
    def ready_workers(self) -> int:
        """Replicas that can answer now."""
        return sum(replica.ready for replica in self._replicas)

    @property
    def any_ready(self) -> bool:
        """Some replica can answer now."""
        return any(replica.ready for replica in self._replicas)

    @property
    def workers(self) -> List[WorkerProcess]:
        """Processes that live now."""
        return [r.worker for r in self._replicas if r.worker is not None]

    async def _begin(self) -> None:
        """Bring up a replica. Only a cause that may pass is tried again."""
        pause = FIRST_PAUSE
        while self.state is not State.STOPPED:
            try:
                await self._launch()
                return
            except (WorkerCrashed, WorkerStartTimeout, OSError) as error:
                failure = error if isinstance(error, PolyhostError) else WorkerCrashed(str(error))
                log.error("model %s: a worker did not start: %s", self.name, failure)
                if self.info is None:
                    self._give_up(failure)
                    return
            except PolyhostError as error:
                if self.info is None:
                    self._give_up(error)
                    return
                log.error("model %s: a worker did not start: %s", self.name, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _give_up(self, error: PolyhostError) -> None:
        log.error("model %s failed to load: %s", self.name, error)
        self.state = State.FAILED
        self.reason = error
        self._fail_queue(self._not_ready())

    async def _launch(self) -> None:
        replica = Replica()
        temp_dir = tempfile.mkdtemp(prefix="polyhost-")
        sockets = Sockets()
        try:
            env = worker_environment(
                self.model.own_environment, bridge_environment(self.model.spec.language), temp_dir
            )
            pid = await self._nursery.start(self.model.spec, self.model.python, env, sockets)
        except BaseException:
            sockets.close_worker_ends()
            sockets.close()
            shutil.rmtree(temp_dir, ignore_errors=True)
            raise
        sockets.close_worker_ends()

        def on_exit(worker: WorkerProcess) -> None:
            shutil.rmtree(temp_dir, ignore_errors=True)
            self._on_exit(replica)

        worker = WorkerProcess(
            pid,
            sockets,
            self._loop,
            on_frames=lambda found: self._on_frames(replica, found),
            on_exit=on_exit,
            on_output=lambda stream, data, id: self._on_output(
                self.name, stream, data, pid, self._names.get(id, "")
            ),
            on_metric=self._observer.counted,
            marks=self._observer.marks_output,
        )
        replica.worker = worker
        self._replicas.append(replica)
        worker.initialise(self.model.spec, {} if self.model.batching else {"max_batch": 1})
        self.info = await worker.wait_ready(self.model.load_timeout)
        if self.info.batchable and self.model.batching:
            self._window = WINDOW
        replica.ready = True
        self._settle_state()
        self._dispatch()

    def _settle_state(self) -> None:
        if self.state in (State.STOPPED, State.FAILED):
            return
        ready = sum(replica.ready for replica in self._replicas)
        if self.info is not None:
            self.state = State.READY if ready >= self.model.workers else State.DEGRADED

    def _spawn_task(self) -> None:
        task = self._loop.create_task(self._begin())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Requests

    def submit(self, meta: bytes, body: Body, retry: bool) -> Pending:
        """Accept a request: its answer, or its error, comes in the future of what is returned.

        ``retry``: it may be tried once more when its worker dies. WorkerNotReady and WorkerBusy
        refuse it at once.
        """
        if self.state is State.LOADING or self.state is State.FAILED:
            raise self._not_ready()
        if self.state is State.STOPPED:
            raise WorkerNotReady(f"model {self.name!r} is stopping", retry_after=1)
        if len(self._queue) >= self._max_queue:
            raise WorkerBusy(
                f"the queue of model {self.name!r} is full: {self._max_queue} requests wait",
                retry_after=1,
            )
        pending = Pending(next(self._ids), meta, body, retry, self._loop.create_future())
        if self._queue or not self._send_to_free(pending):
            self._queue.append(pending)
        return pending

    def cancel(self, pending: Pending) -> None:
        """The client has gone away: forget its request."""
        if pending.future.cancel() or pending.stream is not None:
            for replica in self._replicas:
                if pending.id in replica.inflight and replica.worker is not None:
                    replica.worker.send(frames.encode(Kind.CANCEL, pending.id))
                    return
            try:
                self._queue.remove(pending)
            except ValueError:
                return
            self._release(pending)

    def _not_ready(self) -> PolyhostError:
        if self.reason is not None:
            return WorkerNotReady(
                f"model {self.name!r} failed to load: {self.reason.message}", cause=self.reason.kind
            )
        return WorkerNotReady(f"model {self.name!r} is loading: try again soon", retry_after=1)

    def _send_to_free(self, pending: Pending) -> bool:
        best: Optional[Replica] = None
        for replica in self._replicas:
            if not replica.ready or replica.solo or replica.timed_out:
                continue
            if replica.interrupted is not None:
                continue
            held = len(replica.inflight)
            if held == 0 or (
                held < self._window
                and replica.bytes + pending.size <= WINDOW_BYTES
                and not pending.solo
            ):
                if best is None or held < len(best.inflight):
                    best = replica
                    if held == 0:
                        break
        if best is None:
            return False
        self._send(best, pending)
        return True

    def _send(self, replica: Replica, pending: Pending) -> None:
        worker = replica.worker
        assert worker is not None
        pending.sent = time.monotonic()
        if not replica.inflight:
            replica.progress = pending.sent
        replica.inflight[pending.id] = pending
        if pending.exchange is not None and self._observer.marks_output:
            self._remember_name(pending.id, pending.exchange.id)
        replica.bytes += pending.size
        replica.solo = pending.solo
        flags = Flag.SOLO if pending.solo else 0
        body = pending.body
        if isinstance(body, bytes) and pending.size <= frames.SPOOL_THRESHOLD:
            worker.send(frames.encode(Kind.REQUEST, pending.id, pending.meta, body, flags))
        elif isinstance(body, Spool) and worker.descriptors:
            data = frames.encode(Kind.REQUEST, pending.id, pending.meta, flags=flags | Flag.FD)
            worker.send(data, body.fd)
        else:
            self._send_chunks(worker, pending, flags)

    def _remember_name(self, id: int, name: str) -> None:
        """Keep what clients call a request: its output may come after its answer."""
        self._names[id] = name
        if len(self._names) > NAMES_KEPT:
            del self._names[next(iter(self._names))]

    def _send_chunks(self, worker: WorkerProcess, pending: Pending, flags: int) -> None:
        body = pending.body if isinstance(pending.body, bytes) else pending.body.read()
        step = frames.SPOOL_THRESHOLD
        meta = pending.meta
        for start in range(0, len(body) or 1, step):
            more = Flag.MORE if start + step < len(body) else 0
            chunk = body[start : start + step]
            worker.send(frames.encode(Kind.REQUEST, pending.id, meta, chunk, flags | more))
            meta = b""

    def _dispatch(self) -> None:
        queue = self._queue
        while queue and self._send_to_free(queue[0]):
            queue.popleft()

    # Replies

    def _on_frames(self, replica: Replica, found: List[Frame]) -> None:
        replica.progress = time.monotonic()
        replica.interrupted = None
        for frame in found:
            pending = replica.inflight.get(frame.id)
            if pending is None:
                if frame.fd is not None:
                    os.close(frame.fd)
                continue
            if frame.kind == Kind.REPLY:
                self._on_reply(replica, pending, frame)
            elif frame.kind == Kind.ERROR:
                self._on_error(replica, pending, from_wire(frame.json()))
        if self._queue:
            self._dispatch()

    def _on_reply(self, replica: Replica, pending: Pending, frame: Frame) -> None:
        stream = pending.stream
        if frame.flags & Flag.MORE:
            if stream is None:
                stream = pending.stream = ReplyStream(self._granter(replica, pending))
                if not pending.future.done():
                    pending.future.set_result(Result(frame.meta, b"", None, stream))
            stream.push(frame.body)
            return
        self._remove(replica, pending)
        if stream is not None:
            stream.finish(frame.body)
        elif not pending.future.done():
            pending.future.set_result(Result(frame.meta, frame.body, frame.fd, None))
        elif frame.fd is not None:
            os.close(frame.fd)
        self._release(pending)

    def _granter(self, replica: Replica, pending: Pending) -> Callable[[int], None]:
        def grant(size: int) -> None:
            if replica.worker is not None and pending.id in replica.inflight:
                replica.worker.send(frames.credit(pending.id, size))

        return grant

    def _on_error(self, replica: Replica, pending: Pending, error: PolyhostError) -> None:
        shared = len(replica.inflight) > 1 and not pending.solo
        self._remove(replica, pending)
        if isinstance(error, WorkerTimeout) and self.model.deadline is not None:
            if shared and pending.retry and not pending.tries:
                self._again(pending)
                return
            error = self._timeout()
        self._fail(pending, error)

    def _again(self, pending: Pending) -> None:
        """Queue a request once more, in front, to be run alone."""
        pending.tries += 1
        pending.solo = True
        self._queue.appendleft(pending)

    def _remove(self, replica: Replica, pending: Pending) -> None:
        del replica.inflight[pending.id]
        replica.bytes -= pending.size
        replica.solo = False
        self._observer.served(
            pending.exchange, pending.sent - pending.accepted, replica.progress - pending.sent
        )

    def _release(self, pending: Pending) -> None:
        """Let go of the body: nobody can need it again."""
        if isinstance(pending.body, Spool):
            pending.body.close()

    def _fail(self, pending: Pending, error: PolyhostError) -> None:
        if pending.stream is not None:
            pending.stream.fail(error)
        elif not pending.future.done():
            pending.future.set_exception(error)
        self._release(pending)

    def _fail_queue(self, error: PolyhostError) -> None:
        while self._queue:
            self._fail(self._queue.popleft(), error)

    # Faults

    def _on_exit(self, replica: Replica) -> None:
        worker = replica.worker
        assert worker is not None
        was_ready = replica.ready
        replica.ready = False
        self._replicas.remove(replica)
        crash = worker.crash()
        self._settle_crash(replica, crash)
        self._settle_state()
        if replica.stopping or self.state in (State.STOPPED, State.FAILED) or not was_ready:
            return
        self.restarts += 1
        log.error("model %s: %s; starting another", self.name, crash)
        self._spawn_task()

    def _settle_crash(self, replica: Replica, crash: WorkerCrashed) -> None:
        """Give every request that the dead worker held another try, or its error."""
        held = list(replica.inflight.values())
        replica.inflight.clear()
        batching = self._window > SERIAL_WINDOW
        suspects = held if batching else held[:1]
        again: List[Pending] = [] if batching else held[1:]
        for pending in suspects:
            if pending.future.done() and pending.stream is None:
                self._release(pending)
            elif replica.timed_out and (len(suspects) == 1 or pending.solo):
                self._fail(pending, self._timeout())
            elif pending.stream is not None or not pending.retry or pending.tries:
                self._fail(pending, crash)
            else:
                pending.tries += 1
                pending.solo = True
                again.append(pending)
        again.sort(key=lambda pending: pending.id)
        self._queue.extendleft(reversed(again))
        self._dispatch()

    def _timeout(self) -> WorkerTimeout:
        return WorkerTimeout(
            f"model {self.name!r} did not answer within its deadline of {self.model.deadline:g} s: "
            "the work was stopped. Raise --deadline if it needs longer.",
            deadline=self.model.deadline,
        )

    def sweep(self, now: float) -> None:
        """Judge every busy worker by its deadline: interrupt it, and then replace it."""
        deadline = self.model.deadline
        if deadline is None:
            return
        for replica in self._replicas:
            if not replica.inflight or replica.worker is None:
                continue
            head = next(iter(replica.inflight.values()))
            late = now - max(head.sent, replica.progress) - deadline
            if late <= 0 or head.stream is not None:
                continue
            if replica.interrupted is None:
                replica.interrupted = now
                replica.worker.interrupt(head.id)
            elif now - replica.interrupted > INTERRUPT_GRACE:
                replica.timed_out = True
                replica.worker.end_hung()
