"""One data socket of a worker: the way to one front. Most workers have one for all their life."""

from __future__ import annotations

import mmap
import os
import select
import socket
from typing import Any, Callable, Deque, Dict, List, Optional, Set, Tuple

from polyhost.errors import RequestCancelled, to_wire
from polyhost.wire import descriptors, frames
from polyhost.wire.frames import Frame, FrameFlag, FrameKind, Parser, ProtocolError

READ = 1 << 20


def wait_for(*sources: Any) -> None:
    """Sleep until one of the sockets or descriptors has something to read, or has ended."""
    poll = select.poll()  # select.select takes no descriptor above 1023
    for source in sources:
        poll.register(source, select.POLLIN)
    poll.poll()


class Job:
    """One request that waits in the worker: its meta as it came, its body, and who asked."""

    __slots__ = ("line", "id", "meta", "body", "solo", "file")

    def __init__(
        self,
        line: DataConnection,
        id: int,
        meta: bytes,
        body: Any,
        solo: bool,
        file: Optional[mmap.mmap],
    ):
        self.line = line
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


class DataConnection:
    """Reads requests from a data socket into the worker's jobs, and writes replies to it.

    ``open``: more may come. ``writable``: what was asked can be answered, as it is after an orderly
    end of what comes.
    """

    def __init__(self, sock: socket.socket, jobs: Deque[Job]) -> None:
        self.sock = sock
        self.open = self.writable = True
        self._jobs = jobs
        self._parser = Parser()
        self._partial: Dict[int, Tuple[bytes, List[bytes], int]] = {}
        self._cancelled: Set[int] = set()
        self._credits: Dict[int, int] = {}

    # Receiving

    def receive(self, flags: int = 0) -> None:
        """Read once; wait for something to come unless the flags say not to."""
        try:
            data, fds = descriptors.receive(self.sock, READ, flags)
        except ConnectionError:  # it was killed with replies unread
            data, fds, self.writable = b"", [], False
        if not data:
            self.open = False
            return
        for frame in self._parser.feed(data, fds):
            kind = frame.kind
            if kind == FrameKind.REQUEST:
                self._on_request(frame)
            elif kind == FrameKind.CANCEL:
                self._on_cancel(frame.id)
            elif kind == FrameKind.CREDIT:
                if frame.id in self._credits:
                    self._credits[frame.id] += frames.credit_size(frame)
            elif kind == FrameKind.PING:
                self.send(frames.encode(FrameKind.PONG, frame.id))
            else:
                raise ProtocolError(f"a frame of kind {kind} on the data socket")

    def drain(self) -> None:
        """Take what waits, without waiting for more."""
        if not self.open:
            return
        try:
            self.receive(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return

    def _on_request(self, frame: Frame) -> None:
        flags = frame.flags
        solo = bool(flags & FrameFlag.SOLO)
        if frame.fd is not None:
            body, file = _map(frame.fd)
            self._jobs.append(Job(self, frame.id, frame.meta, body, solo, file))
            return
        if not flags & FrameFlag.MORE and frame.id not in self._partial:
            self._jobs.append(Job(self, frame.id, frame.meta, frame.body, solo, None))
            return
        meta, chunks, first = self._partial.setdefault(frame.id, (frame.meta, [], flags))
        chunks.append(frame.body)
        if not flags & FrameFlag.MORE:
            del self._partial[frame.id]
            solo = bool(first & FrameFlag.SOLO)
            self._jobs.append(Job(self, frame.id, meta, b"".join(chunks), solo, None))

    def _on_cancel(self, id: int) -> None:
        self._partial.pop(id, None)
        if id in self._credits:
            self._cancelled.add(id)
            return
        for job in self._jobs:
            if job.id == id and job.line is self:
                self._jobs.remove(job)
                job.release()
                wire = to_wire(RequestCancelled("cancelled while it waited"))
                self.send(frames.encode(FrameKind.ERROR, id, frames.dumps(wire)))
                return

    def close(self) -> None:
        """Its front has gone: drop the socket, and what came over it and has not begun."""
        self.open = self.writable = False
        waiting = list(self._jobs)
        self._jobs.clear()
        for job in waiting:
            if job.line is self:
                job.release()
            else:
                self._jobs.append(job)
        self._partial.clear()
        self._parser.close()
        self.sock.close()

    # Sending

    def send(self, data: bytes) -> None:
        """Write whole frames. A front that is gone is not an error: nobody waits there."""
        if not self.writable:
            return
        try:
            self.sock.sendall(data)
        except ConnectionError:
            self.open = self.writable = False

    def send_file(self, id: int, meta: bytes, body: Any) -> None:
        """A reply whose body crosses as a file."""
        if not self.writable:
            return
        fd = os.memfd_create("polyhost-reply", os.MFD_CLOEXEC)
        try:
            view = memoryview(body)
            while len(view):
                view = view[os.write(fd, view) :]
            data = frames.encode(FrameKind.REPLY, id, meta, flags=FrameFlag.FD)
            sent = descriptors.send(self.sock, data, [fd])
            if sent < len(data):
                self.send(data[sent:])
        except ConnectionError:
            self.open = self.writable = False
        finally:
            os.close(fd)

    def stream(self, id: int, meta: bytes, chunks: Any, drain: Callable[[], None]) -> None:
        """Send an iterator's chunks as they come, never more than was granted.

        RequestCancelled when nobody waits any more. ``drain`` takes what other lines bring.
        """
        self._credits[id] = frames.STREAM_WINDOW
        try:
            self._send_chunk(id, meta, b"", drain)
            for chunk in chunks:
                for start in range(0, len(chunk), frames.CHUNK):
                    self._send_chunk(id, b"", chunk[start : start + frames.CHUNK], drain)
            self.send(frames.encode(FrameKind.REPLY, id))
        finally:
            self._end_stream(id)

    def _end_stream(self, id: int) -> None:
        del self._credits[id]
        self._cancelled.discard(id)

    def _send_chunk(self, id: int, meta: bytes, chunk: bytes, drain: Callable[[], None]) -> None:
        drain()
        while self.open and id not in self._cancelled and self._credits[id] < len(chunk):
            wait_for(self.sock)
            drain()
        if not self.open or id in self._cancelled:
            raise RequestCancelled("the client went away")
        self._credits[id] -= len(chunk)
        self.send(frames.encode(FrameKind.REPLY, id, meta, chunk, FrameFlag.MORE))


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
