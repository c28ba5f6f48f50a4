"""The worker's data loop: drain, batch, predict once, write once."""

from __future__ import annotations

import mmap
import os
import select
import socket
import traceback
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Optional, Set, Tuple

from polyhost.codecs import Answer, Request
from polyhost.errors import ModelError, PolyhostError, RequestCancelled, WorkerTimeout, to_wire
from polyhost.worker import frames
from polyhost.worker.frames import Flag, Frame, Kind, Parser, ProtocolError
from polyhost.worker.marks import Marker

READ = 1 << 20


class Job:
    """One request that waits in the worker: its meta as it came, and its body."""

    __slots__ = ("id", "meta", "body", "solo", "file")

    def __init__(self, id: int, meta: bytes, body: Any, solo: bool, file: Optional[mmap.mmap]):
        self.id = id
        self.meta = meta
        self.body = body
        self.solo = solo
        self.file = file

    def release(self) -> None:
        """Let go of a spooled body. A guest may still hold a view of it: then it goes with it."""
        if self.file is not None:
            self.body = b""
            try:
                self.file.close()
            except BufferError:
                self.file = None


class DataLoop:
    """Serves a predictor over the data socket, on the thread that calls :meth:`run`."""

    def __init__(
        self,
        sock: socket.socket,
        predictor: Any,
        control: Any,
        max_batch: int = 64,
        max_batch_bytes: int = 4 << 20,
        marker: Optional[Marker] = None,
    ) -> None:
        from polyhost.codecs import dispatch

        self._sock = sock
        self._predictor = predictor
        self._control = control
        self._dispatch = dispatch
        self._batchable = bool(predictor.info.batchable) and max_batch > 1
        self._max_batch = max_batch
        self._max_batch_bytes = max_batch_bytes
        self._marker = marker
        self._parser = Parser()
        self._jobs: Deque[Job] = deque()
        self._partial: Dict[int, Tuple[bytes, List[bytes], int]] = {}
        self._cancelled: Set[int] = set()
        self._credits: Dict[int, int] = {}
        self._requests: Dict[bytes, Request] = {}
        self._replies: Dict[Tuple[int, str], bytes] = {}
        self._open = True

    def run(self) -> None:
        """Serve until the host closes the socket."""
        control, marker = self._control, self._marker
        while True:
            if not self._jobs:
                if not self._open:
                    return
                self._receive(0)
                continue
            batch = self._take()
            control.tally.batch(len(batch))
            if marker is None or len(batch) > 1:
                self._serve(batch)
            else:
                marker.running(batch[0].id)
                self._serve(batch)
                marker.running(0)
            if self._open:
                self._drain()

    # Receiving

    def _drain(self) -> None:
        """Take what waits, without waiting for more."""
        try:
            self._receive(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return

    def _receive(self, flags: int) -> None:
        data, fds = frames.receive(self._sock, READ, flags)
        if not data:
            self._open = False
            return
        for frame in self._parser.feed(data, fds):
            kind = frame.kind
            if kind == Kind.REQUEST:
                self._on_request(frame)
            elif kind == Kind.CANCEL:
                self._on_cancel(frame.id)
            elif kind == Kind.CREDIT:
                if frame.id in self._credits:
                    self._credits[frame.id] += frames.credit_size(frame)
            else:
                raise ProtocolError(f"a frame of kind {kind} on the data socket")

    def _on_request(self, frame: Frame) -> None:
        flags = frame.flags
        if frame.fd is not None:
            body, file = _map(frame.fd)
            self._jobs.append(Job(frame.id, frame.meta, body, bool(flags & Flag.SOLO), file))
            return
        if not flags & Flag.MORE and frame.id not in self._partial:
            self._jobs.append(Job(frame.id, frame.meta, frame.body, bool(flags & Flag.SOLO), None))
            return
        meta, chunks, first = self._partial.setdefault(frame.id, (frame.meta, [], flags))
        chunks.append(frame.body)
        if not flags & Flag.MORE:
            del self._partial[frame.id]
            self._jobs.append(Job(frame.id, meta, b"".join(chunks), bool(first & Flag.SOLO), None))

    def _on_cancel(self, id: int) -> None:
        self._partial.pop(id, None)
        if id in self._credits:
            self._cancelled.add(id)
            return
        for job in self._jobs:
            if job.id == id:
                self._jobs.remove(job)
                job.release()
                self._sock.sendall(self._error(id, RequestCancelled("cancelled while it waited")))
                return

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
        control.running = batch[0].id
        try:
            answers = self._answers(batch)
        finally:
            control.running = 0
        if control.interrupted == batch[0].id:
            control.interrupted = 0
            answers = [_interrupted() if isinstance(a, Exception) else a for a in answers]
        out: List[bytes] = []
        for job, answer in zip(batch, answers):
            self._reply(job, answer, out)
            job.release()
        if out:
            self._sock.sendall(b"".join(out))

    def _answers(self, batch: List[Job]) -> List[Any]:
        request = self._request(batch[0].meta)
        try:
            if len(batch) > 1 and request.op == "predict":
                bodies = [job.body for job in batch]
                return self._dispatch.answer_many(self._predictor, request, bodies)
            return [self._dispatch.answer(self._predictor, request, job.body) for job in batch]
        except Exception as error:
            return [error] * len(batch)
        except KeyboardInterrupt:
            return [_interrupted()] * len(batch)

    def _request(self, meta: bytes) -> Request:
        found = self._requests.get(meta)
        if found is None:
            found = Request.from_wire(Frame(Kind.REQUEST, 0, 0, meta, b"").json())
            if len(self._requests) > 256:
                self._requests.clear()
            self._requests[meta] = found
        return found

    def _reply(self, job: Job, answer: Any, out: List[bytes]) -> None:
        if isinstance(answer, BaseException):
            out.append(self._error(job.id, answer))
            return
        body = answer.body
        if not isinstance(body, (bytes, bytearray, memoryview)):
            if out:
                self._sock.sendall(b"".join(out))
                out.clear()
            self._stream(job, answer)
        elif len(body) <= frames.SPOOL_THRESHOLD:
            out.append(frames.encode(Kind.REPLY, job.id, self._meta(answer), bytes(body)))
        else:
            if out:
                self._sock.sendall(b"".join(out))
                out.clear()
            self._send_file(job.id, answer)

    def _error(self, id: int, error: BaseException) -> bytes:
        if not isinstance(error, PolyhostError):
            traceback.print_exception(type(error), error, error.__traceback__)
            error = ModelError(f"{type(error).__name__}: {error}", native_type=type(error).__name__)
        return frames.encode(Kind.ERROR, id, _error_meta(error))

    def _meta(self, answer: Answer) -> bytes:
        if answer.headers:
            return frames.dumps(
                {
                    "status": answer.status,
                    "type": answer.content_type,
                    "headers": dict(answer.headers),
                }
            )
        key = (answer.status, answer.content_type)
        meta = self._replies.get(key)
        if meta is None:
            meta = frames.dumps({"status": answer.status, "type": answer.content_type})
            if len(self._replies) < 256:
                self._replies[key] = meta
        return meta

    def _send_file(self, id: int, answer: Answer) -> None:
        fd = os.memfd_create("polyhost-reply", os.MFD_CLOEXEC)
        try:
            view = memoryview(answer.body)  # type: ignore[arg-type]
            while len(view):
                view = view[os.write(fd, view) :]
            data = frames.encode(Kind.REPLY, id, self._meta(answer), flags=Flag.FD)
            sent = frames.send_descriptor(self._sock, data, fd)
            if sent < len(data):
                self._sock.sendall(data[sent:])
        finally:
            os.close(fd)

    # Streaming

    def _stream(self, job: Job, answer: Answer) -> None:
        """Send an iterator's chunks as they come, never more than the host has granted."""
        id = job.id
        self._credits[id] = frames.STREAM_WINDOW
        chunks: Iterator[bytes] = iter(answer.body)  # type: ignore[arg-type]
        meta = self._meta(answer)
        self._control.running = id
        try:
            self._send_chunk(id, meta, b"")
            for chunk in chunks:
                for start in range(0, len(chunk), frames.CHUNK):
                    self._send_chunk(id, b"", chunk[start : start + frames.CHUNK])
            self._sock.sendall(frames.encode(Kind.REPLY, id))
        except RequestCancelled:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
            if self._open:
                self._sock.sendall(self._error(id, RequestCancelled("the client went away")))
        except (OSError, ProtocolError):
            raise
        except Exception as error:
            self._sock.sendall(self._error(id, error))
        finally:
            self._control.running = 0
            del self._credits[id]
            self._cancelled.discard(id)

    def _send_chunk(self, id: int, meta: bytes, chunk: bytes) -> None:
        self._drain()
        while self._open and id not in self._cancelled and self._credits[id] < len(chunk):
            select.select([self._sock], [], [])
            self._drain()
        if not self._open or id in self._cancelled:
            raise RequestCancelled("the client went away")
        self._credits[id] -= len(chunk)
        self._sock.sendall(frames.encode(Kind.REPLY, id, meta, chunk, Flag.MORE))


def _interrupted() -> WorkerTimeout:
    return WorkerTimeout("the model was interrupted: its deadline passed")


def _error_meta(error: BaseException) -> bytes:
    """The tagged error as JSON, cut to what a frame may hold."""
    wire = to_wire(error)
    try:
        meta = frames.dumps(wire)
    except (TypeError, ValueError):
        wire["facts"] = {key: repr(value)[:2000] for key, value in wire["facts"].items()}
        meta = frames.dumps(wire)
    if len(meta) > frames.MAX_META // 2:
        meta = frames.dumps({"kind": wire["kind"], "message": wire["message"][:100_000]})
    return meta


def _map(fd: int) -> Tuple[Any, Optional[mmap.mmap]]:
    """A spooled body as a view of its file; the descriptor is closed."""
    try:
        size = os.fstat(fd).st_size
        if size == 0:
            return b"", None
        file = mmap.mmap(fd, size, prot=mmap.PROT_READ)
    finally:
        os.close(fd)
    return memoryview(file), file
