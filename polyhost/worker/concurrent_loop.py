"""Several requests at once: the data loop of a guest that takes more than one call.

The calling thread reads the sockets; each request runs on one of ``calls`` threads, which writes
its answer. They do not share calls: there is no batching here.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import Any, Callable, Deque, Dict, List, Optional, Set

from polyhost.codecs import Answer
from polyhost.errors import RequestCancelled
from polyhost.wire import frames
from polyhost.wire.frames import FrameFlag, FrameKind
from polyhost.worker.connection import DataConnection, Job, wait_for
from polyhost.worker.loop import DataLoop, interrupted


class SharedLine(DataConnection):
    """A line that one thread reads, and to which several write.

    ``changed``: held while what was read is taken in, and announced.
    """

    def __init__(self, sock: socket.socket, jobs: Deque[Job], changed: threading.Condition) -> None:
        super().__init__(sock, jobs)
        self._changed = changed
        self._sending = threading.RLock()

    def receive(self, flags: int = 0) -> None:
        """Read once, without waiting: who calls knows that something has come."""
        with self._changed:
            super().receive(flags | socket.MSG_DONTWAIT)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed, self._sending:
            super().close()

    def send(self, data: bytes) -> None:
        with self._sending:
            if self.writable:
                super().send(data)

    def send_file(self, id: int, meta: bytes, body: Any) -> None:
        with self._sending:
            if self.writable:
                super().send_file(id, meta, body)

    def _send_chunk(self, id: int, meta: bytes, chunk: bytes, drain: Callable[[], None]) -> None:
        with self._changed:
            while self.open and id not in self._cancelled and self._credits[id] < len(chunk):
                self._changed.wait()
            if not self.open or id in self._cancelled:
                raise RequestCancelled("the client went away")
            self._credits[id] -= len(chunk)
        self.send(frames.encode(FrameKind.REPLY, id, meta, chunk, FrameFlag.MORE))

    def _end_stream(self, id: int) -> None:
        with self._changed:
            super()._end_stream(id)


class ConcurrentLoop(DataLoop):
    """Serves a predictor with up to ``calls`` calls at once.

    An interrupt reaches guest code only, on the thread of its request: what is written here is
    never cut off in the middle of a frame.
    """

    def __init__(
        self, calls: int, sock: socket.socket, predictor: Any, control: Any, **options: Any
    ) -> None:
        self._calls = calls
        self._changed = threading.Condition()
        self._running: Dict[int, int] = {}
        """Thread by the id of the request that it runs."""
        self._owners: Dict[int, DataConnection] = {}
        """Line by the id of the request that runs."""
        self._alone = False
        self._interrupted: Set[int] = set()
        self._failure: Optional[BaseException] = None
        self._woken_fd, self._wake_fd = os.pipe()
        super().__init__(sock, predictor, control, **options)
        control.interrupt = self.interrupt

    def run(self) -> None:
        """Serve until the host closes the first socket; raises what ended a thread."""
        for number in range(self._calls):
            name = f"polyhost-call-{number}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        while self._first.open and self._failure is None:
            self._wait()
        with self._changed:
            while (self._jobs or self._running) and self._failure is None:
                self._changed.wait()
        if self._failure is not None:
            raise self._failure

    def interrupt(self, id: int) -> None:
        """Stop the guest's work for one request; called on the control thread."""
        with self._changed:
            thread = self._running.get(id)
            if thread is not None:
                self._interrupted.add(id)
                self._predictor.interrupt_thread(thread)

    # The reading thread

    def _line(self, sock: socket.socket) -> DataConnection:
        return SharedLine(sock, self._jobs, self._changed)

    def _wait(self) -> None:
        waiting = [line.sock for line in self._lines]
        wait_for(*waiting, self._control.arrivals_fd, self._woken_fd)
        self._drain()

    def _abandon(self, line: DataConnection) -> None:
        """Stop what runs for a front that has gone: nobody judges its deadline any more."""
        with self._changed:
            for id, owner in list(self._owners.items()):
                if owner is line:
                    self.interrupt(id)

    # The threads of the calls

    def _work(self) -> None:
        while True:
            job = self._next()
            try:
                self._serve([job])
            except BaseException as failure:  # for the main thread
                with self._changed:
                    self._failure = failure
                    self._changed.notify_all()
                os.write(self._wake_fd, b"!")
                return
            self._end(job)

    def _next(self) -> Job:
        with self._changed:
            while not self._may_begin():
                self._changed.wait()
            job = self._jobs.popleft()
            self._alone = job.solo
            self._running[job.id] = threading.get_ident()
            self._owners[job.id] = job.line
            self._control.counters.batch(1)
            self._mark()
            return job

    def _may_begin(self) -> bool:
        if not self._jobs or self._alone:
            return False
        return not (self._jobs[0].solo and self._running)

    def _end(self, job: Job) -> None:
        with self._changed:
            del self._running[job.id], self._owners[job.id]
            self._interrupted.discard(job.id)
            self._alone = False
            self._mark()
            self._changed.notify_all()

    def _mark(self) -> None:
        """What is printed belongs to a request while it runs by itself."""
        if self._marker is not None:
            ids = list(self._running)
            self._marker.running(ids[0] if len(ids) == 1 else 0)

    def _serve(self, batch: List[Job]) -> None:
        (job,) = batch
        if self._fronts:
            job.line.send(frames.encode(FrameKind.BEGIN, job.id))
        (answer,) = self._answers(batch)
        if os.getpid() != self._pid:
            os._exit(0)  # a hook forked, and its child came back too: the parent answers
        if isinstance(answer, BaseException) and self._was_interrupted(job):
            answer = interrupted()
        out: List[bytes] = []
        self._reply(job, answer, out)
        job.release()
        if out:
            job.line.send(b"".join(out))

    def _was_interrupted(self, job: Job) -> bool:
        return job.id in self._interrupted

    def _stream(self, job: Job, answer: Answer) -> None:
        self._send_stream(job, answer)
