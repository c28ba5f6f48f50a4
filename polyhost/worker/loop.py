"""The worker's data loop: drain, batch, predict once, write once."""

from __future__ import annotations

import os
import socket
import traceback
from collections import deque
from dataclasses import replace
from time import perf_counter
from typing import Any, Deque, Dict, List, Mapping, Optional, Tuple

from polyhost.codecs import Answer, Request
from polyhost.errors import ModelError, PolyhostError, RequestCancelled, WorkerTimeout
from polyhost.wire import frames
from polyhost.wire.frames import Frame, FrameKind, ProtocolError
from polyhost.wire.output_marks import Marker
from polyhost.wire.replies import check_head, checked_error, error_meta
from polyhost.worker.connection import DataConnection, Job, wait_for


class DataLoop:
    """Serves a predictor over the data sockets, on the thread that calls :meth:`run`.

    ``fronts``: more than one front may attach a socket; each gets a BEGIN when its request begins.
    ``limits``: the model's own, as options of every request (``max_rows``, ``call_rows``).
    """

    def __init__(
        self,
        sock: socket.socket,
        predictor: Any,
        control: Any,
        max_batch: int = 64,
        max_batch_bytes: int = 4 << 20,
        marker: Optional[Marker] = None,
        fronts: bool = False,
        limits: Optional[Mapping[str, Any]] = None,
    ) -> None:
        from polyhost.codecs import dispatch

        self._predictor = predictor
        self._control = control
        self._dispatch = dispatch
        self._batchable = bool(predictor.info.batchable) and max_batch > 1
        self._max_batch = max_batch
        self._max_batch_bytes = max_batch_bytes
        self._marker = marker
        self._fronts = fronts
        self._limits = dict(limits or {})
        self._jobs: Deque[Job] = deque()
        self._pid = os.getpid()
        self._first = self._line(sock)
        self._lines: List[DataConnection] = [self._first]
        self._requests: Dict[bytes, Request] = {}
        self._replies: Dict[Tuple[int, str], bytes] = {}

    def run(self) -> None:
        """Serve until the host closes the first socket."""
        control, marker = self._control, self._marker
        while True:
            if not self._jobs:
                if not self._first.open:
                    return
                self._wait()
                continue
            batch = self._take()
            began = perf_counter()
            control.counters.batch(len(batch))
            if marker is None or len(batch) > 1:
                self._serve(batch)
            else:
                marker.running(batch[0].id)
                self._serve(batch)
                marker.running(0)
            control.counters.ran(len(batch), perf_counter() - began)
            if self._jobs or self._fronts:  # else waiting takes as much
                self._drain()

    # Receiving

    def _line(self, sock: socket.socket) -> DataConnection:
        return DataConnection(sock, self._jobs)

    def _wait(self) -> None:
        """Sleep until a request comes, from any front."""
        if not self._fronts:
            self._first.receive()
            return
        waiting = [line.sock for line in self._lines]
        wait_for(*waiting, self._control.arrivals_fd)
        self._drain()

    def _drain(self) -> None:
        """Take what waits, without waiting for more."""
        self._first.drain()
        if not self._fronts:
            return
        for sock in self._control.arrivals():
            self._lines.append(self._line(sock))
        for line in self._lines[1:]:
            line.drain()
            if not line.open:
                line.close()
                self._lines.remove(line)
                self._abandon(line)

    def _abandon(self, line: DataConnection) -> None:
        """Nobody waits for what runs for this line; here nothing of it does while lines are read."""

    def _take(self) -> List[Job]:
        """The oldest job and those that may share its call."""
        first = self._jobs.popleft()
        if not self._batchable or first.solo or first.file is not None or not self._jobs:
            return [first]
        batch, size = [first], len(first.body)
        rest: Deque[Job] = deque()
        while self._jobs and len(batch) < self._max_batch:
            job = self._jobs.popleft()
            if job.meta == first.meta and not job.solo and job.file is None:
                size += len(job.body)
                if size > self._max_batch_bytes:
                    rest.append(job)
                    break
                batch.append(job)
            else:
                rest.append(job)
        self._jobs.extendleft(reversed(rest))
        return batch

    # Serving

    def _serve(self, batch: List[Job]) -> None:
        control = self._control
        if self._fronts:
            for job in batch:
                job.line.send(frames.encode(FrameKind.BEGIN, job.id))
        with control.turn:
            control.batch, control.running = batch, batch[0].id
        try:
            answers = self._answers(batch)
            if os.getpid() != self._pid:
                os._exit(0)  # a hook forked, and its child came back too: the parent answers
        finally:
            with control.turn:
                control.running = 0
        if control.interrupted == batch[0].id:
            control.interrupted = 0
            late = interrupted(shared=len(batch) > 1)
            answers = [late if isinstance(a, BaseException) else a for a in answers]
        out: Dict[DataConnection, List[bytes]] = {}
        for job, answer in zip(batch, answers):
            self._reply(job, answer, out.setdefault(job.line, []))
            job.release()
        for line, parts in out.items():
            if parts:
                line.send(b"".join(parts))

    def _answers(self, batch: List[Job]) -> List[Any]:
        request = self._request(batch[0].meta)
        try:
            if len(batch) > 1 and request.op == "predict":
                bodies = [job.body for job in batch]
                return self._dispatch.answer_many(self._predictor, request, bodies)
            return [self._dispatch.answer(self._predictor, request, job.body) for job in batch]
        except BaseException as error:  # the guest's, whatever it is: it ends this call alone
            return [error] * len(batch)

    def _request(self, meta: bytes) -> Request:
        found = self._requests.get(meta)
        if found is None:
            found = Request.from_wire(Frame(FrameKind.REQUEST, 0, 0, meta, b"").json())
            if self._limits:
                found = replace(found, options={**found.options, **self._limits})
            if len(self._requests) > 256:
                self._requests.clear()
            self._requests[meta] = found
        return found

    def _reply(self, job: Job, answer: Any, out: List[bytes]) -> None:
        """Put an answer's frame into ``out``, or send it where it is long; what cannot be sent
        becomes this request's error."""
        try:
            if isinstance(answer, BaseException):
                raise answer
            meta, body = self._meta(answer), answer.body
            whole = isinstance(body, (bytes, bytearray, memoryview))
            if whole and len(body) <= frames.SPOOL_THRESHOLD:
                out.append(frames.encode(FrameKind.REPLY, job.id, meta, bytes(body)))
                return
        except BaseException as error:
            out.append(self._error(job.id, error))
            return
        if out:
            job.line.send(b"".join(out))
            out.clear()
        if whole:
            job.line.send_file(job.id, meta, body)
        else:
            self._stream(job, answer)

    def _stream(self, job: Job, answer: Answer) -> None:
        control = self._control
        with control.turn:
            control.running = job.id
        try:
            self._send_stream(job, answer)
        finally:
            with control.turn:
                control.running = 0

    def _send_stream(self, job: Job, answer: Answer) -> None:
        line, chunks = job.line, iter(answer.body)
        try:
            line.stream(job.id, self._meta(answer), chunks, self._drain)
        except RequestCancelled as gone:
            _close(chunks)
            line.send(self._error(job.id, gone))
        except ProtocolError:
            raise
        except BaseException as error:  # the guest's: an OSError too, since a front's end is none
            found = interrupted() if self._was_interrupted(job) else error
            line.send(self._error(job.id, found))

    def _was_interrupted(self, job: Job) -> bool:
        """True where this request was to be stopped; that is then forgotten."""
        control = self._control
        found = bool(control.interrupted == job.id)
        if found:
            control.interrupted = 0
        return found

    def _error(self, id: int, error: BaseException) -> bytes:
        if not isinstance(error, PolyhostError):
            error = _unexpected(error)
        error = checked_error(error)
        return frames.encode(FrameKind.ERROR, id, error_meta(error))

    def _meta(self, answer: Answer) -> bytes:
        """The meta of an answer's first frame; InvalidOutput for one that cannot be written."""
        if answer.headers:
            headers = dict(answer.headers)
            check_head(answer.status, answer.content_type, headers)
            return frames.dumps(
                {"status": answer.status, "type": answer.content_type, "headers": headers}
            )
        key = (answer.status, answer.content_type)
        meta = self._replies.get(key)
        if meta is None:
            check_head(answer.status, answer.content_type, {})
            meta = frames.dumps({"status": answer.status, "type": answer.content_type})
            if len(self._replies) < 256:
                self._replies[key] = meta
        return meta


def interrupted(shared: bool = False) -> WorkerTimeout:
    """What a request gets whose work was stopped; ``shared``: it was not alone in its call."""
    facts = {"shared": True} if shared else {}
    return WorkerTimeout("the model was interrupted: its deadline passed", **facts)


def _close(chunks: Any) -> None:
    """Close a guest's generator; what it raises then concerns nobody who still waits."""
    close = getattr(chunks, "close", None)
    if close is None:
        return
    try:
        close()
    except BaseException as error:
        _unexpected(error)


def _unexpected(error: BaseException) -> ModelError:
    """What a request gets where something else than our own errors was raised; it is printed."""
    try:
        traceback.print_exception(type(error), error, error.__traceback__)
        text = f"{type(error).__name__}: {error}"
    except Exception:  # the guest closed standard error, or its __str__ fails
        text = type(error).__name__
    return ModelError(text, native_type=type(error).__name__)
